import type { JobSetKey } from '@ajs/job-state';
import type { AssignmentQueue } from '../interest/interest-recorder.js';

/** For specs: a queue that keeps what it was given. */
export class RecordedQueue implements AssignmentQueue {
  readonly enqueued = new Set<string>();
  readonly promoted = new Set<string>();

  enqueue(keys: readonly JobSetKey[]): Promise<void> {
    for (const { jobSetId } of keys) this.enqueued.add(jobSetId);
    return Promise.resolve();
  }

  promote({ jobSetId }: JobSetKey): Promise<void> {
    this.promoted.add(jobSetId);
    return Promise.resolve();
  }
}
