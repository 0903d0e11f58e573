import type { EventMessage } from '@ajs/contracts/api/event';
import type { EventLog } from './event-log.js';
import type { Faults } from './faults.js';

interface Accepted {
  readonly dueAt: number;
  readonly events: readonly EventMessage[];
}

/**
 * Publishes the events that Armada has accepted, those of a job set in their order: each some time after it was accepted, and none while
 * the fault `eventsStopped` lasts. What `api.Jobs` shows does not wait for them.
 */
export class EventIngester {
  private readonly accepted = new Map<EventLog, Accepted[]>();

  /** @param delayMs drawn once for events that are accepted together */
  constructor(
    private readonly faults: Faults,
    private readonly delayMs: () => number,
  ) {
    faults.onChange(() => {
      for (const log of this.accepted.keys()) this.publishDue(log);
    });
  }

  accept(log: EventLog, events: readonly EventMessage[]): void {
    const queue = this.accepted.get(log) ?? [];
    this.accepted.set(log, queue);
    queue.push({ dueAt: Date.now() + this.delayMs(), events });
    if (queue.length === 1) this.publishDue(log);
  }

  private publishDue(log: EventLog): void {
    const queue = this.accepted.get(log) ?? [];
    while (!this.faults.now.eventsStopped) {
      const [next] = queue;
      if (next === undefined) return;
      const leftMs = next.dueAt - Date.now();
      if (leftMs > 0) {
        setTimeout(() => this.publishDue(log), leftMs).unref();
        return;
      }
      queue.shift();
      log.append(next.events);
    }
  }
}
