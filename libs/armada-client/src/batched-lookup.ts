import { ArmadaJobsError } from './armada-jobs.js';
import type { CallGate } from './call-gate.js';

/**
 * After Armada did not answer, questions of this time get the same reason at once: they would wait, one deadline after another,
 * for what is most likely the same end. Milliseconds.
 */
export const FAIL_FAST_MS = 1_000;

/** One call asked for more than can be answered in one. */
export class BatchTooLargeError extends Error {
  constructor(
    /** What can be answered, at least 1 and less than what was asked. */
    readonly atMost: number,
  ) {
    super(`at most ${atMost} can be asked in one call`);
    this.name = 'AskedTooMuch';
  }
}

export interface BatchedLookupOptions<V> {
  /**
   * One call upstream. What it has no answer for is left out. Rejects with {@link ArmadaJobsError}, or with
   * {@link BatchTooLargeError}: from then on fewer are asked in a call, and these again.
   */
  readonly call: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>;
  readonly gate: CallGate;
  /** Keys in one call. */
  readonly maxBatchSize: number;
  /** Keys that may wait for their call; more are refused. */
  readonly maxWaiting: number;
  /** Monotonic. Milliseconds. */
  readonly now?: () => number;
}

/**
 * Looks keys up in as few calls as can be. Keys gather while the gate is shut, whoever asks for them, and go in one call when it
 * opens. Who asks for a key that waits or is being asked shares its answer: it may be older than the question, by one call.
 */
export class BatchedLookup<V> {
  private readonly pending = new Map<string, PendingKey<V>>();
  /** Of the open keys those that are in no call yet, in the order they came. */
  private readonly waiting = new Set<string>();
  private maxBatchSize: number;
  private readonly now: () => number;
  private sending = false;
  private failure: { readonly error: ArmadaJobsError; readonly until: number } | undefined;

  constructor(private readonly options: BatchedLookupOptions<V>) {
    this.maxBatchSize = options.maxBatchSize;
    this.now = options.now ?? (() => performance.now());
  }

  /** What each key leads to; keys without an answer are left out. Rejects with {@link ArmadaJobsError}. */
  async lookUp(keys: readonly string[]): Promise<ReadonlyMap<string, V>> {
    if (this.failure !== undefined && this.now() < this.failure.until) throw this.failure.error;
    const asked = [...new Set(keys)];
    const fresh = asked.filter((key) => !this.pending.has(key));
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
    const questions = asked.map((key) => [key, this.pending.get(key)] as const);
    const found = new Map<string, V>();
    await Promise.all(
      questions.map(async ([key, question]) => {
        const value = await question?.value;
        if (value !== undefined) found.set(key, value);
      }),
    );
    return found;
  }

  /** One at a time stands at the gate for all that wait, so that methods take turns there. */
  private async sendWaiting(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    // What is asked in the same turn of the event loop goes in the same call.
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
      for (const key of keys) this.settle(key, (question) => question.resolve(found.get(key)));
    } catch (error) {
      if (error instanceof BatchTooLargeError) {
        this.maxBatchSize = Math.min(this.maxBatchSize, error.atMost);
        for (const key of keys) this.waiting.add(key);
        void this.sendWaiting();
        return;
      }
      const told =
        error instanceof ArmadaJobsError ? error : new ArmadaJobsError('unavailable', String(error));
      for (const key of keys) this.settle(key, (question) => question.reject(told));
      if (told.kind !== 'unavailable') return;
      this.failure = { error: told, until: this.now() + FAIL_FAST_MS };
      this.rejectWaiting(told);
    }
  }

  private rejectWaiting(error: ArmadaJobsError): void {
    for (const key of this.waiting) this.settle(key, (question) => question.reject(error));
    this.waiting.clear();
  }

  private settle(key: string, settle: (question: PendingKey<V>) => void): void {
    const question = this.pending.get(key);
    this.pending.delete(key);
    if (question !== undefined) settle(question);
  }
}

/** A key that somebody waits for. */
class PendingKey<V> {
  resolve!: (value: V | undefined) => void;
  reject!: (error: ArmadaJobsError) => void;
  readonly value = new Promise<V | undefined>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}
