import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';

/** Which jobs one caller, for one call, may see of those that it requests by id alone. */
export interface JobPermissions {
  /** Whether it depends on a job's queue: if not, the queue need not be resolved. */
  readonly isRestricted: boolean;
  /** Those of the queues that the caller may watch. Rejects with UNAVAILABLE where one of them cannot be checked now. */
  allowedQueues(queues: Iterable<string>): Promise<ReadonlySet<string>>;
}

/** Nothing is denied. */
export const UNRESTRICTED: JobPermissions = {
  isRestricted: false,
  allowedQueues: (queues) => Promise.resolve(new Set(queues)),
};

/**
 * Rejects with PERMISSION_DENIED where the caller may not see one of these jobs: it names the id, and not the queue. A job that is left
 * out, or UNKNOWN, would look like one that does not exist, and an operator acts on that.
 */
export async function requirePermission<Job>(
  permissions: JobPermissions,
  jobs: Iterable<readonly [jobId: string, job: Job]>,
  queueOf: (job: Job) => string,
): Promise<void> {
  if (!permissions.isRestricted) return;
  const examples = new Map<string, string>();
  for (const [jobId, job] of jobs) examples.set(queueOf(job), jobId);
  const allowed = await permissions.allowedQueues(examples.keys());
  for (const [queue, jobId] of examples) {
    if (allowed.has(queue)) continue;
    throw new RpcError(
      status.PERMISSION_DENIED,
      `permission denied for job ${JSON.stringify(jobId)}: requires permission watch_all_events or the queue's watch verb`,
    );
  }
}
