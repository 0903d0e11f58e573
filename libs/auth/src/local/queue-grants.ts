import type { Grantees } from './queue-rights.js';

/** The permissions that Armada keeps for its queues, read under our own identity. */
export interface QueueGrants {
  /** Who may watch the queue; `undefined`: there is no such queue. Rejects with why Armada does not say, for people. */
  watchersOf(queue: string): Promise<Grantees | undefined>;
}
