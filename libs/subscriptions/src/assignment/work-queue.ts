import { createHash } from 'node:crypto';
import type { JobSetKey } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import { WORK_QUEUE_PREFIX, jobSetTag } from '@ajs/redis-keys';
import { Queue } from 'bullmq';
import { AssignmentId } from '../budget/assignment-id.js';
import type { AssignmentQueue } from '../interest/interest-recorder.js';

export const WORK_QUEUE = 'follow';

/** BullMQ's error for a job that is in another state by now. */
const NOT_DELAYED = -3;

/** What a BullMQ job of the work queue holds: the job set to follow, and whether the last holder watches or watched it. */
export type AssignmentData = JobSetKey & { readonly watched?: boolean };

/** The id of a job set's BullMQ job: any number of hints make one job. */
export function assignmentIdOf(key: JobSetKey): AssignmentId {
  return AssignmentId(createHash('sha1').update(jobSetTag(key)).digest('hex'));
}

/**
 * The work queue as those see it who want a job set followed. A BullMQ job is only a hint and a lease: what is to be
 * followed stands in the demand, and a lost job is put back from there.
 */
export class WorkQueue implements AssignmentQueue {
  private readonly queue: Queue<AssignmentData>;

  /** @param connection A client of its own with role `work-queue`. */
  constructor(
    private readonly connection: RedisClient,
    onError: (error: Error) => void,
  ) {
    this.queue = new Queue<AssignmentData>(WORK_QUEUE, { connection, prefix: WORK_QUEUE_PREFIX });
    this.queue.on('error', onError);
  }

  /** Makes sure that these job sets have their turn. Costs next to nothing where they have one. */
  async enqueue(keys: readonly JobSetKey[]): Promise<void> {
    const known = await Promise.all(
      keys.map((key) => this.connection.exists(this.queue.toKey(assignmentIdOf(key)))),
    );
    const missing = keys.filter((_, i) => known[i] === 0);
    if (missing.length === 0) return;
    await this.queue.addBulk(
      missing.map((key) => ({
        name: WORK_QUEUE,
        data: { queue: key.queue, jobSetId: key.jobSetId },
        opts: { jobId: assignmentIdOf(key) },
      })),
    );
  }

  /** Lets a job set's turn begin now, if it is one that waits for its time. */
  async promote(key: JobSetKey): Promise<void> {
    const turnId = assignmentIdOf(key);
    if ((await this.connection.zscore(this.queue.toKey('delayed'), turnId)) === null) return;
    const job = await this.queue.getJob(turnId);
    await job?.promote().catch((error: unknown) => {
      // Somebody else woke it.
      if ((error as { code?: number }).code !== NOT_DELAYED) throw error;
    });
  }

  /** Lets all turns begin now that wait for their time. */
  async promoteAll(): Promise<void> {
    await this.queue.promoteJobs();
  }

  /** How many job sets wait for the time of their next read. */
  async countDelayed(): Promise<number> {
    return this.queue.getDelayedCount();
  }

  /** Whether Redis answers for the work queue; rejects with its error. */
  async check(): Promise<void> {
    await this.connection.exists(this.queue.toKey('meta'));
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}
