import { ArmadaJobsError } from '@ajs/armada-client';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../../rpc-error.js';

const CODES: Record<ArmadaJobsError['kind'], status> = {
  unsupported: status.UNIMPLEMENTED,
  // It is this service's identity that Armada refuses, not the caller's.
  refused: status.UNAVAILABLE,
  unavailable: status.UNAVAILABLE,
};

/** An answer that only Armada has. Rejects with an RpcError where Armada gives none. */
export async function fromArmada<T>(
  answer: Promise<T>,
  cause = "this call is served by Armada's api.Jobs, which failed",
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ArmadaJobsError)) throw error;
    throw new RpcError(CODES[error.kind], `${cause}: ${error.reason}`);
  }
}

/** For jobs that are not cached and that Armada does not resolve. Always UNAVAILABLE: a retry may succeed. */
export function unresolvedError(jobIds: readonly string[], { reason }: ArmadaJobsError): RpcError {
  const [example] = jobIds;
  const others = jobIds.length > 1 ? ` and ${jobIds.length - 1} more` : '';
  return new RpcError(
    status.UNAVAILABLE,
    `cannot resolve job ${JSON.stringify(example)}${others}: not cached, and Armada's api.Jobs failed: ${reason}`,
  );
}
