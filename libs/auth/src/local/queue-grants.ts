import type { Grantees } from './queue-rights.js';

/** The permissions of Armada's queues, read under our own identity. */
export interface QueueGrants {
  /** Who may watch the queue; `undefined` where it does not exist. Rejects, with a reason for people, if Armada gives no answer. */
  watchersOf(queue: string): Promise<Grantees | undefined>;
}
