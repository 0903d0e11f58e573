import { ArmadaJobsError } from '@ajs/armada-client';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../../rpc-error.js';

const CODES: Record<ArmadaJobsError['kind'], status> = {
  unsupported: status.UNIMPLEMENTED,
  // Our identity's trouble is not the caller's.
  refused: status.UNAVAILABLE,
  unavailable: status.UNAVAILABLE,
};

/** What only Armada can answer: where it does not, neither do we. */
export async function fromArmada<T>(
  answer: Promise<T>,
  what = "only Armada's own api.Jobs can answer this",
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ArmadaJobsError)) throw error;
    throw new RpcError(CODES[error.kind], `${what}: ${error.reason}`);
  }
}

/** A question about jobs that are not known here, and that Armada does not settle. Always UNAVAILABLE: asking again may. */
export function notSettled(what: string, { reason }: ArmadaJobsError): RpcError {
  return new RpcError(status.UNAVAILABLE, `${what}, and Armada's own api.Jobs does not settle it: ${reason}`);
}
