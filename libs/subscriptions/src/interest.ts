import type { JobSetKey } from '@ajs/job-state';
import { BoundedCache, type JobSetLife } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import type { Demand } from './demand.js';
import type { WorkQueue } from './work-queue.js';

/** Interest in one job set is written this often by one replica at most, however many polls there are. */
const NOTE_EVERY_MS = 10_000;
const REMEMBERED = 100_000;
/** More job sets than this at once wait for the next flush. */
const FLUSHED_AT_ONCE = 500;

export interface InterestOptions {
  readonly demand: Demand;
  readonly life: JobSetLife;
  readonly workQueue: WorkQueue;
  readonly onError: (error: Error) => void;
}

/**
 * Takes note of polls, aside from their way to an answer (P9): coalesces them by job set and writes them in the background,
 * so that what is polled is followed and kept.
 */
export class Interest {
  private readonly notedAt = new BoundedCache<string, number>(REMEMBERED);
  private readonly pending = new Map<string, JobSetKey>();
  private flushing: Promise<void> | undefined;

  constructor(private readonly options: InterestOptions) {}

  /** Somebody polled a job set, whose tag the caller may know already. Returns at once. */
  note(key: JobSetKey, tag = jobSetTag(key)): void {
    const now = performance.now();
    if (now - (this.notedAt.peek(tag) ?? -Infinity) < NOTE_EVERY_MS) return;
    this.notedAt.set(tag, now);
    this.pending.set(tag, key);
    this.flushing ??= this.flush().finally(() => (this.flushing = undefined));
  }

  /** Resolves when what was noted is written, or has failed to be. */
  async settled(): Promise<void> {
    await this.flushing;
  }

  private async flush(): Promise<void> {
    // Polls of one turn of the event loop are written together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.pending.size > 0) {
      const batch = Array.from(this.pending).slice(0, FLUSHED_AT_ONCE);
      for (const [tag] of batch) this.pending.delete(tag);
      try {
        await this.write(batch.map(([, key]) => key));
      } catch (error) {
        // The next poll notes it again.
        for (const [tag] of batch) this.notedAt.delete(tag);
        this.options.onError(error as Error);
      }
    }
  }

  private async write(keys: JobSetKey[]): Promise<void> {
    const { demand, life, workQueue } = this.options;
    await Promise.all(keys.map((key) => demand.note(key)));
    // After the demand, so that whoever takes the turn finds it wanted.
    await Promise.all([workQueue.hint(keys), ...keys.map((key) => life.touch(key))]);
  }
}
