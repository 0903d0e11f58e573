import { JobId } from '@ajs/job-state';
import { ArmadaJobsError } from '@ajs/armada-client';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';

const CODES: Record<ArmadaJobsError['kind'], status> = {
  unsupported: status.UNIMPLEMENTED,
  // It is this service's identity that Armada refuses, not the caller's.
  refused: status.UNAVAILABLE,
  unavailable: status.UNAVAILABLE,
};

/** An answer that only Armada has. Rejects with an RpcError where Armada gives none. */
export async function fromArmada<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ArmadaJobsError)) throw error;
    throw new RpcError(
      CODES[error.kind],
      `this call is served by Armada's api.Jobs, which failed: ${error.reason}`,
    );
  }
}

/**
 * Armada's answer in place of one from the cache. Rejects with UNAVAILABLE where Armada gives none, whatever its reason: a later call is
 * answered from the cache.
 *
 * @param why the cause why the cache cannot answer
 */
export async function fromArmadaInstead<T>(answer: Promise<T>, why: string): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ArmadaJobsError)) throw error;
    throw new RpcError(status.UNAVAILABLE, `${why}, and Armada's api.Jobs failed: ${error.reason}; retry`);
  }
}

/**
 * For jobs that the cache cannot answer for, and that Armada does not resolve. Always UNAVAILABLE: a retry may succeed.
 *
 * @param unreadable why the records of some of the jobs cannot be read; the others are not cached
 */
export function unresolvedError(
  jobIds: readonly JobId[],
  unreadable: ReadonlyMap<JobId, string>,
  { reason }: ArmadaJobsError,
): RpcError {
  const example = jobIds.find((jobId) => unreadable.has(jobId)) ?? jobIds[0] ?? JobId('');
  const others = jobIds.length > 1 ? ` and ${jobIds.length - 1} more` : '';
  const why = unreadable.get(example);
  return new RpcError(
    status.UNAVAILABLE,
    `cannot resolve job ${JSON.stringify(example)}${others}: ${why ?? 'not cached'}, and Armada's api.Jobs failed: ` +
      `${reason}${why === undefined ? '' : UPGRADE}`,
  );
}

/** Only a newer version can read the record. */
const UPGRADE = '; upgrade the query replicas';

/**
 * Throws where Armada, which answered, has left out a job whose record cannot be read: the job exists, so that neither UNKNOWN nor its
 * absence would be true.
 */
export function requireAnswers(
  unreadable: ReadonlyMap<JobId, string>,
  answers: ReadonlyMap<JobId, unknown>,
): void {
  for (const [jobId, reason] of unreadable) {
    if (answers.has(jobId)) continue;
    throw new RpcError(
      status.UNAVAILABLE,
      `cannot resolve job ${JSON.stringify(jobId)}: ${reason}, and Armada's api.Jobs does not know the job${UPGRADE}`,
    );
  }
}
