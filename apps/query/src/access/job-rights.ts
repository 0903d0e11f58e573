import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';

/** What one caller, for one call, may be told of jobs that it asks for by id alone. */
export interface JobRights {
  /** Whether it depends on a job's queue: if not, nobody has to find the queue out. */
  readonly isRestricted: boolean;
  /** Those of the queues that count as the caller's. Rejects with UNAVAILABLE where that cannot be said now of one of them. */
  allowedQueues(queues: Iterable<string>): Promise<ReadonlySet<string>>;
}

/** Nothing is refused. */
export const UNRESTRICTED: JobRights = {
  isRestricted: false,
  allowedQueues: (queues) => Promise.resolve(new Set(queues)),
};

/**
 * Rejects with PERMISSION_DENIED where the caller may not be told of one of these jobs: it names the id, and not the queue. A job that is
 * left out, or UNKNOWN, would look like one that does not exist, and an operator acts on that.
 */
export async function requireRights<Job>(
  rights: JobRights,
  jobs: ReadonlyMap<string, Job>,
  queueOf: (job: Job) => string,
): Promise<void> {
  if (!rights.isRestricted) return;
  const examples = new Map<string, string>();
  for (const [jobId, job] of jobs) {
    const queue = queueOf(job);
    if (!examples.has(queue)) examples.set(queue, jobId);
  }
  const allowed = await rights.allowedQueues(examples.keys());
  for (const [queue, jobId] of examples) {
    if (allowed.has(queue)) continue;
    throw new RpcError(
      status.PERMISSION_DENIED,
      `you may not be told of job ${JSON.stringify(jobId)}: it takes the permission watch_all_events, ` +
        'or the verb watch in the permissions of its queue',
    );
  }
}
