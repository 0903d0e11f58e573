import { ArmadaJobsError } from './armada-jobs.js';
import type { CallGate } from './call-gate.js';

/**
 * After Armada did not answer, questions of this time get the same reason at once: they would wait, one deadline after another,
 * for what is most likely the same end. Milliseconds.
 */
export const AWAY_MS = 1_000;

/** One call asked for more than can be answered in one. */
export class AskedTooMuch extends Error {
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
   * {@link AskedTooMuch}: from then on fewer are asked in a call, and these again.
   */
  readonly call: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>;
  readonly gate: CallGate;
  /** Keys in one call. */
  readonly largestBatch: number;
  /** Keys that may wait for their call; more are refused. */
  readonly mostWaiting: number;
  /** Monotonic. Milliseconds. */
  readonly now?: () => number;
}

/**
 * Looks keys up in as few calls as can be. Keys gather while the gate is shut, whoever asks for them, and go in one call when it
 * opens. Who asks for a key that waits or is being asked shares its answer: it may be older than the question, by one call.
 */
export class BatchedLookup<V> {
  private readonly open = new Map<string, Question<V>>();
  /** Of the open keys those that are in no call yet, in the order they came. */
  private readonly waiting = new Set<string>();
  private largestBatch: number;
  private readonly now: () => number;
  private asking = false;
  private away: { readonly error: ArmadaJobsError; readonly until: number } | undefined;

  constructor(private readonly options: BatchedLookupOptions<V>) {
    this.largestBatch = options.largestBatch;
    this.now = options.now ?? (() => performance.now());
  }

  /** What each key leads to; keys without an answer are left out. Rejects with {@link ArmadaJobsError}. */
  async ask(keys: readonly string[]): Promise<ReadonlyMap<string, V>> {
    if (this.away !== undefined && this.now() < this.away.until) throw this.away.error;
    const asked = [...new Set(keys)];
    const fresh = asked.filter((key) => !this.open.has(key));
    if (this.waiting.size + fresh.length > this.options.mostWaiting) {
      throw new ArmadaJobsError(
        'unavailable',
        `too many lookups are waiting for Armada: ${this.waiting.size} of at most ${this.options.mostWaiting}`,
      );
    }
    for (const key of fresh) {
      this.open.set(key, new Question());
      this.waiting.add(key);
    }
    if (fresh.length > 0) void this.askWaiting();
    const questions = asked.map((key) => [key, this.open.get(key)] as const);
    const found = new Map<string, V>();
    await Promise.all(
      questions.map(async ([key, question]) => {
        const value = await question?.answer;
        if (value !== undefined) found.set(key, value);
      }),
    );
    return found;
  }

  /** One at a time stands at the gate for all that wait, so that methods take turns there. */
  private async askWaiting(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    // What is asked in the same turn of the event loop goes in the same call.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.size > 0) {
      const leave = await this.options.gate.enter().catch(() => undefined);
      if (leave === undefined) {
        this.refuseWaiting(new ArmadaJobsError('unavailable', 'this process is shutting down'));
        break;
      }
      void this.askBatch().finally(leave);
    }
    this.asking = false;
  }

  private async askBatch(): Promise<void> {
    const keys = Array.from(this.waiting).slice(0, this.largestBatch);
    for (const key of keys) this.waiting.delete(key);
    if (keys.length === 0) return;
    try {
      const found = await this.options.call(keys);
      for (const key of keys) this.settle(key, (question) => question.resolve(found.get(key)));
    } catch (error) {
      if (error instanceof AskedTooMuch) {
        this.largestBatch = Math.min(this.largestBatch, error.atMost);
        for (const key of keys) this.waiting.add(key);
        void this.askWaiting();
        return;
      }
      const told =
        error instanceof ArmadaJobsError ? error : new ArmadaJobsError('unavailable', String(error));
      for (const key of keys) this.settle(key, (question) => question.reject(told));
      if (told.kind !== 'unavailable') return;
      this.away = { error: told, until: this.now() + AWAY_MS };
      this.refuseWaiting(told);
    }
  }

  private refuseWaiting(error: ArmadaJobsError): void {
    for (const key of this.waiting) this.settle(key, (question) => question.reject(error));
    this.waiting.clear();
  }

  private settle(key: string, settle: (question: Question<V>) => void): void {
    const question = this.open.get(key);
    this.open.delete(key);
    if (question !== undefined) settle(question);
  }
}

/** A key that somebody waits for. */
class Question<V> {
  resolve!: (value: V | undefined) => void;
  reject!: (error: ArmadaJobsError) => void;
  readonly answer = new Promise<V | undefined>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}
