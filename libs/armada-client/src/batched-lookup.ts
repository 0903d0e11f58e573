import { addMs, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { ArmadaJobsError } from './armada-jobs.js';
import type { CallGate } from './call-gate.js';

/**
 * After Armada failed to respond, lookups fail at once with the same reason for this time: they would wait, one deadline after
 * another, for what is most likely the same failure. Milliseconds.
 */
export const FAIL_FAST_MS = 1_000;

/** One call has more keys than Armada answers in one response. */
export class BatchTooLargeError extends Error {
  constructor(
    /** How many it answers: at least 1, and fewer than the call has. */
    readonly maxKeys: number,
  ) {
    super(`one call takes at most ${maxKeys} keys`);
    this.name = 'BatchTooLargeError';
  }
}

export interface BatchedLookupOptions<K, V> {
  /**
   * One call upstream; leaves out keys without a value. Rejects with {@link ArmadaJobsError}, or with {@link BatchTooLargeError}: these
   * keys are then looked up again, and from then on fewer go in one call.
   */
  readonly call: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>;
  readonly gate: CallGate;
  /** Keys in one call. */
  readonly maxBatchSize: number;
  /** The most keys that wait for a call; more are refused. */
  readonly maxWaiting: number;
  readonly now?: () => MonotonicTime;
}

/**
 * Looks keys up in as few calls as possible. While the gate is closed, keys of all callers gather, and go in one call when it opens.
 * Whoever looks up a key that is waiting or in flight shares its value, which may be older than the lookup by one call.
 */
export class BatchedLookup<K, V> {
  private readonly pending = new Map<K, PendingKey<V>>();
  /** The pending keys that are in no call yet, in the order they came. */
  private readonly waiting = new Set<K>();
  private maxBatchSize: number;
  private readonly now: () => MonotonicTime;
  private sending = false;
  private failure: { readonly error: ArmadaJobsError; readonly until: MonotonicTime } | undefined;

  constructor(private readonly options: BatchedLookupOptions<K, V>) {
    this.maxBatchSize = options.maxBatchSize;
    this.now = options.now ?? monotonicNow;
  }

  /** The value of each key; keys without one are left out. Rejects with {@link ArmadaJobsError}. */
  async lookUp(keys: readonly K[]): Promise<ReadonlyMap<K, V>> {
    if (this.failure !== undefined && this.now() < this.failure.until) throw this.failure.error;
    const wanted = [...new Set(keys)];
    const fresh = wanted.filter((key) => !this.pending.has(key));
    if (this.waiting.size + fresh.length > this.options.maxWaiting) {
      throw new ArmadaJobsError(
        'unavailable',
        `too many lookups are waiting for Armada: ${this.waiting.size} of at most ${this.options.maxWaiting}`,
      );
    }
    for (const key of fresh) {
      this.pending.set(key, new PendingKey());
      this.waiting.add(key);
    }
    if (fresh.length > 0) void this.sendWaiting();
    const entries = wanted.map((key) => [key, this.pending.get(key)] as const);
    const found = new Map<K, V>();
    await Promise.all(
      entries.map(async ([key, entry]) => {
        const value = await entry?.value;
        if (value !== undefined) found.set(key, value);
      }),
    );
    return found;
  }

  /** Queues at the gate once for all waiting keys, so that the lookups that share it take turns. */
  private async sendWaiting(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    // Lookups of the same turn of the event loop go in the same call.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.size > 0) {
      const leave = await this.options.gate.enter().catch(() => undefined);
      if (leave === undefined) {
        this.rejectWaiting(new ArmadaJobsError('unavailable', 'this process is shutting down'));
        break;
      }
      void this.sendBatch().finally(leave);
    }
    this.sending = false;
  }

  private async sendBatch(): Promise<void> {
    const keys = Array.from(this.waiting).slice(0, this.maxBatchSize);
    for (const key of keys) this.waiting.delete(key);
    if (keys.length === 0) return;
    try {
      const found = await this.options.call(keys);
      for (const key of keys) this.settle(key, (entry) => entry.resolve(found.get(key)));
    } catch (error) {
      if (error instanceof BatchTooLargeError) {
        this.maxBatchSize = Math.min(this.maxBatchSize, error.maxKeys);
        for (const key of keys) this.waiting.add(key);
        void this.sendWaiting();
        return;
      }
      const reason =
        error instanceof ArmadaJobsError ? error : new ArmadaJobsError('unavailable', String(error));
      for (const key of keys) this.settle(key, (entry) => entry.reject(reason));
      if (reason.kind !== 'unavailable') return;
      this.failure = { error: reason, until: addMs(this.now(), FAIL_FAST_MS) };
      this.rejectWaiting(reason);
    }
  }

  private rejectWaiting(error: ArmadaJobsError): void {
    for (const key of this.waiting) this.settle(key, (entry) => entry.reject(error));
    this.waiting.clear();
  }

  private settle(key: K, settle: (entry: PendingKey<V>) => void): void {
    const entry = this.pending.get(key);
    this.pending.delete(key);
    if (entry !== undefined) settle(entry);
  }
}

/** A key whose value somebody waits for. */
class PendingKey<V> {
  resolve!: (value: V | undefined) => void;
  reject!: (error: ArmadaJobsError) => void;
  readonly value = new Promise<V | undefined>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}
