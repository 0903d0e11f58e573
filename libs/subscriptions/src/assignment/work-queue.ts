import { createHash } from 'node:crypto';
import type { JobSetKey } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import { Queue } from 'bullmq';
import { AssignmentId } from '../budget/assignment-id.js';
import type { AssignmentQueue } from '../interest/interest-recorder.js';
import { retryInfo } from './retry-info.js';

export const WORK_QUEUE = 'follow';

/** BullMQ's error for a job that is in another state by now. */
const NOT_DELAYED = -3;

/** What a BullMQ job of the work queue holds. */
export interface AssignmentData extends JobSetKey {
  /** Whether its last owner watched the job set. */
  readonly watched?: boolean;
  /** How often it had lost its owner when that watch began, as BullMQ counts it. */
  readonly timesStalled?: number;
}

/** The id of a job set's BullMQ job: however often a job set is enqueued, there is one job. */
export function assignmentIdOf(key: JobSetKey): AssignmentId {
  return AssignmentId(createHash('sha1').update(jobSetTag(key)).digest('hex'));
}

/**
 * Where job sets wait to be assigned: BullMQ's queue. A BullMQ job is only a reminder and a lease: what is to be followed stands in the
 * interest store, and a lost job is added again from there.
 */
export class WorkQueue implements AssignmentQueue {
  private readonly queue: Queue<AssignmentData>;

  /** @param connection A client of its own with role `work-queue`. */
  constructor(
    private readonly connection: RedisClient,
    onError: (error: Error) => void,
  ) {
    this.queue = new Queue<AssignmentData>(WORK_QUEUE, {
      connection: retryInfo(connection, onError),
      prefix: connection.ownKeys.workQueuePrefix,
    });
    this.queue.on('error', onError);
  }

  async enqueue(keys: readonly JobSetKey[]): Promise<void> {
    const exists = await Promise.all(
      keys.map((key) => this.connection.exists(this.queue.toKey(assignmentIdOf(key)))),
    );
    const missing = keys.filter((_, i) => exists[i] === 0);
    if (missing.length === 0) return;
    await this.queue.addBulk(
      missing.map((key) => ({
        name: WORK_QUEUE,
        data: { queue: key.queue, jobSetId: key.jobSetId },
        opts: { jobId: assignmentIdOf(key) },
      })),
    );
  }

  async promote(key: JobSetKey): Promise<void> {
    const id = assignmentIdOf(key);
    if ((await this.connection.zscore(this.queue.toKey('delayed'), id)) === null) return;
    const job = await this.queue.getJob(id);
    await job?.promote().catch((error: unknown) => {
      // It was promoted by another replica.
      if ((error as { code?: number }).code !== NOT_DELAYED) throw error;
    });
  }

  /** Has all job sets assigned now that wait for the time of their next read. */
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
