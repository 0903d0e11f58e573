import type { RedisClient } from '@ajs/job-store';
import { LoopProgress } from '@ajs/platform';
import { JOB_INDEX_GROUPS } from '@ajs/redis-keys';

/** Each number is written once in this time, one after the other. */
const ROUND_MS = 1_000;
/** From one number to the next, by group: groups lie in the order of their slots, so that neighbours are at the same master. */
const STRIDE = 5;
/** What a replica wrote goes this long after its end. */
const TTL_SECONDS = 3_600;
const MAX_ROUND_MS = 15_000;

interface OwnNumber {
  readonly key: string;
  /** The last one that Redis has confirmed; 0 for none. */
  confirmed: number;
}

/**
 * Notices within seconds that Redis went back in time: writes numbers that grow, spread so that every master of a Cluster has some, and finds
 * a smaller one than it wrote there before. The numbers are this replica's own: what other replicas write hides no loss. A loss shows
 * where it takes one of these writes with it, so if it is of 63 ms of a single server, or of 250 ms of one of three masters.
 */
export class RollbackDetector {
  private timer: NodeJS.Timeout | undefined;
  private isChecking = false;
  private readonly numbers: readonly OwnNumber[];
  private written = 0;
  private hasLost = false;

  /**
   * @param replicaId No other process has the same.
   * @param onRollback Redis lost writes: it was emptied, restored, or failed over.
   */
  constructor(
    private readonly redis: RedisClient,
    replicaId: string,
    private readonly onRollback: () => void,
    private readonly onError: (error: Error) => void,
    readonly progress = new LoopProgress(MAX_ROUND_MS),
  ) {
    this.numbers = JOB_INDEX_GROUPS.map((_, group) => ({
      key: redis.ownKeys.format({ kind: 'rollback', group, replicaId }),
      confirmed: 0,
    }));
  }

  start(): void {
    this.progress.moved();
    this.timer = setInterval(() => void this.check(), ROUND_MS / this.numbers.length);
  }

  close(): void {
    clearInterval(this.timer);
    this.progress.idle();
  }

  /** Checks the next of the numbers, and after the last of them reports what was lost. */
  async check(): Promise<void> {
    const number = this.numbers[(this.written * STRIDE) % this.numbers.length];
    if (this.isChecking || number === undefined) return;
    this.isChecking = true;
    const next = ++this.written;
    try {
      const before = await this.redis.set(number.key, next, 'EX', TTL_SECONDS, 'GET');
      // A write that failed may have been done all the same: then it is greater.
      if (!(Number(before) >= number.confirmed)) this.hasLost = true;
      number.confirmed = next;
      this.progress.moved();
    } catch (error) {
      this.progress.failed(error as Error);
      this.onError(error as Error);
    } finally {
      this.isChecking = false;
    }
    // Once for all numbers that one loss has taken.
    if (next % this.numbers.length === 0 && this.hasLost) {
      this.hasLost = false;
      this.onRollback();
    }
  }
}
