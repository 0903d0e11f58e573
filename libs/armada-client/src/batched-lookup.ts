import { addMs, type MonotonicTime } from '@ajs/job-state';
import { FairQueue, FairShares, monotonicNow } from '@ajs/platform';
import { ArmadaJobsError, type Requester } from './armada-jobs.js';
import type { CallGate } from './call-gate.js';

/**
 * After Armada failed to respond, lookups fail at once with the same reason for this time: they would wait, one deadline after
 * another, for what is most likely the same failure. Milliseconds.
 */
const FAIL_FAST_MS = 1_000;

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
  /** The most keys that wait for a call; more are refused. A requester gets at most a fair share of them. */
  readonly maxWaiting: number;
  readonly now?: () => MonotonicTime;
}

/**
 * Looks keys up in as few calls as possible. While the gate is closed, keys of all callers gather, and go in one call when it opens; where
 * they are too many for one, the requesters take turns. Whoever looks up a key that is waiting or in flight shares its value, which may be
 * older than the lookup by one call.
 */
export class BatchedLookup<K, V> {
  private readonly pending = new Map<K, PendingKey<V>>();
  /** The pending keys that are in no call yet. */
  private readonly waiting = new Set<K>();
  /** Those keys in the turns of all that want them; and keys that were sent in the turn of another. */
  private queue = new FairQueue<K>();
  private readonly shares: FairShares;
  private maxBatchSize: number;
  private readonly now: () => MonotonicTime;
  private sending = false;
  private failure: { readonly error: ArmadaJobsError; readonly until: MonotonicTime } | undefined;

  constructor(private readonly options: BatchedLookupOptions<K, V>) {
    this.maxBatchSize = options.maxBatchSize;
    this.shares = new FairShares(options.maxWaiting);
    this.now = options.now ?? monotonicNow;
  }

  /**
   * The value of each key; keys without one are left out. Rejects with {@link ArmadaJobsError}, also where no requester of a key waits for
   * it any more when its turn has come.
   */
  async lookUp(keys: readonly K[], requester: Requester): Promise<ReadonlyMap<K, V>> {
    if (this.failure !== undefined && this.now() < this.failure.until) throw this.failure.error;
    const wanted = [...new Set(keys)];
    this.enqueue(wanted, requester);
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

  private enqueue(keys: readonly K[], requester: Requester): void {
    const { key: who } = requester;
    const isInFlight = (key: K): boolean => this.pending.has(key) && !this.waiting.has(key);
    const unsent = keys.filter((key) => !isInFlight(key));
    const unqueued = unsent.filter((key) => this.pending.get(key)?.owners.has(who) !== true);
    if (unqueued.length > 0 && !this.shares.take(who, unqueued.length)) throw this.tooMany();
    for (const key of unqueued) {
      const entry = this.pending.get(key) ?? new PendingKey<V>();
      entry.owners.add(who);
      this.pending.set(key, entry);
      this.waiting.add(key);
      this.queue.add(who, key);
    }
    for (const key of unsent) this.pending.get(key)?.requesters.push(requester);
    if (unqueued.length > 0) void this.sendWaiting();
  }

  private tooMany(): ArmadaJobsError {
    const whose = this.shares.free > 0 ? 'too many lookups of yours' : 'too many lookups';
    const limit = `at most ${this.options.maxWaiting} wait, of all callers together`;
    return new ArmadaJobsError('unavailable', `${whose} are waiting for Armada (${limit})`);
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
    const keys = this.nextBatch();
    if (keys.length === 0) return;
    try {
      const found = await this.options.call(keys);
      for (const key of keys) this.settle(key, (entry) => entry.resolve(found.get(key)));
    } catch (error) {
      if (error instanceof BatchTooLargeError) {
        this.maxBatchSize = Math.min(this.maxBatchSize, error.maxKeys);
        for (const key of keys) this.putBack(key);
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

  private nextBatch(): K[] {
    const batch: K[] = [];
    while (batch.length < this.maxBatchSize && this.waiting.size > 0) {
      const key = this.queue.next();
      if (key === undefined) break;
      // Otherwise it was sent in the turn of another.
      if (!this.waiting.delete(key)) continue;
      const entry = this.pending.get(key);
      for (const who of entry?.owners ?? []) this.shares.release(who);
      if (entry?.isWanted() === true) batch.push(key);
      else this.settle(key, (unwanted) => unwanted.reject(GIVEN_UP));
    }
    // What is left was sent already.
    if (this.waiting.size === 0) this.queue = new FairQueue();
    return batch;
  }

  private putBack(key: K): void {
    this.waiting.add(key);
    for (const who of this.pending.get(key)?.owners ?? []) {
      this.shares.takeAnyway(who);
      this.queue.add(who, key);
    }
  }

  private rejectWaiting(error: ArmadaJobsError): void {
    for (const key of this.waiting) {
      this.settle(key, (entry) => {
        for (const who of entry.owners) this.shares.release(who);
        entry.reject(error);
      });
    }
    this.waiting.clear();
    this.queue = new FairQueue();
  }

  private settle(key: K, settle: (entry: PendingKey<V>) => void): void {
    const entry = this.pending.get(key);
    this.pending.delete(key);
    if (entry !== undefined) settle(entry);
  }
}

const GIVEN_UP = new ArmadaJobsError('unavailable', 'the caller cancelled the call');

/** A key whose value somebody waits for. */
class PendingKey<V> {
  /** In whose turns it is queued. */
  readonly owners = new Set<string>();
  readonly requesters: Requester[] = [];
  resolve!: (value: V | undefined) => void;
  reject!: (error: ArmadaJobsError) => void;
  readonly value = new Promise<V | undefined>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  isWanted(): boolean {
    return this.requesters.some((requester) => !requester.isGone());
  }
}
