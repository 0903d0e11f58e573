import { MonotonicTime, type JobSetKey, type StreamMessage } from '@ajs/job-state';
import { StaleWriterError, type JobSink, type SubscriptionReport } from '@ajs/job-store';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.js';
import type { EventSource, EventStream, StreamEnd } from './event-source.js';
import type { ReflectorObserver } from './reflector-observer.js';
import { BatchWriter } from './batch-writer.js';
import { LeaseLostError, type Lease } from './lease.js';
import type { JobSetQuota } from './job-set-quota.js';
import type { Reconciler, Rounds } from './reconciler.js';
import { StreamFailures, type FailureTiming } from './stream-failures.js';

/** All in milliseconds. */
export interface ReflectorTiming extends FailureTiming {
  /** A sign of life is written this often, idle or not: how soon a Redis that lost writes, or another holder, is noticed. */
  readonly heartbeatEveryMs: number;
  /** A watch that has been silent for so long is checked by a read. */
  readonly checkSilentWatchAfterMs: number;
  /** A watch is checked by a read this often, however much it brings: Armada does not end it when we may no longer watch. */
  readonly checkWatchEveryMs: number;
  /** Reads that polls ask for begin at least this far apart. */
  readonly readRequestSpacingMs: number;
  /** A watch that lacks a message which a read brought is opened anew after so long. */
  readonly reopenLaggingWatchAfterMs: number;
}

export const REFLECTOR_TIMING: ReflectorTiming = {
  heartbeatEveryMs: 3_000,
  checkSilentWatchAfterMs: 10_000,
  checkWatchEveryMs: 60_000,
  readRequestSpacingMs: 1_000,
  reopenLaggingWatchAfterMs: 5_000,
  goneAfterMs: 15_000,
  firstRetryMs: 500,
  maxRetryMs: 10_000,
  maxDeniedRetryMs: 60_000,
};

const TICK_MS = 250;

export interface JobSetReflectorOptions {
  readonly key: JobSetKey;
  readonly sink: JobSink;
  readonly source: EventSource;
  readonly lease: Lease;
  readonly observer: ReflectorObserver;
  readonly reconciler: Reconciler;
  readonly timing: ReflectorTiming;
  readonly quota: JobSetQuota;
  /** How its streams have failed in earlier turns. */
  readonly failures?: StreamFailures;
}

/**
 * How following ended: it was stopped, nobody asks any more, or the job set is to be read again after so many milliseconds.
 */
export type ReflectorOutcome = 'stopped' | 'done' | { readonly readInMs: number };

/** What is told of the subscription, and the moment that the job set is level with, where it is. */
interface SyncReport {
  readonly state: SubscriptionReport['state'];
  readonly reason: string;
  readonly at?: number;
}

/**
 * Follows one job set for one turn: reads from the cursor to the end, then watches as long as it may, and checks by reads; begins
 * again where a watch ends, and opens the job set again where somebody else wrote it.
 */
export class JobSetReflector {
  private readonly streams = new Set<EventStream>();
  private watching: EventStream | undefined;
  private readonly stopping = new AbortController();
  private readonly reopening: Backoff;
  private readonly failures: StreamFailures;
  private batchWriter: BatchWriter | undefined;
  private rounds: Rounds | undefined;
  private held = false;
  private phase: 'reading' | 'reconciling' | 'watching' | 'waiting' = 'waiting';
  private readBeganAt = -Infinity;
  private evidenceAt = -Infinity;
  private heartbeatAt = 0;
  private readRequestedAt: number | undefined;
  private checking = false;
  /** Messages that a read brought and the watch has not. */
  private lagSince: number | undefined;
  private watchTail = '';
  /** What a read beside the watch was refused with: the watch is over, though Armada lets it go on. */
  private refusal: StreamEnd | undefined;
  private wake = new AbortController();

  constructor(private readonly options: JobSetReflectorOptions) {
    const { firstRetryMs: firstRetry, maxRetryMs: longestRetry } = options.timing;
    this.reopening = new Backoff(firstRetry, longestRetry);
    this.failures = options.failures ?? new StreamFailures(options.timing);
  }

  /** Jobs that have not ended, as far as this turn knows. */
  get unfinished(): number {
    return this.batchWriter?.unfinished ?? 0;
  }

  /** Follows until there is an outcome, or the lease is lost for good (rejects with LeaseLostError). */
  async run(): Promise<ReflectorOutcome> {
    const ticks = setInterval(() => this.tick(), TICK_MS);
    try {
      while (!this.stopping.signal.aborted) {
        await this.options.lease.whenHeld();
        const beganAt = performance.now();
        try {
          return await this.session();
        } catch (error) {
          if (error instanceof LeaseLostError) throw error;
          // What went well for that long is not the same trouble.
          if (performance.now() - beganAt > this.options.timing.maxRetryMs) this.reopening.reset();
          if (error instanceof StaleWriterError) this.options.observer.staleWriter(this.options.key);
          else this.options.observer.writeFailed(this.options.key, error as Error);
          await this.pause(this.reopening.next());
        }
      }
      return 'stopped';
    } finally {
      clearInterval(ticks);
    }
  }

  /** Stops reading. What was read is still written before {@link run} resolves. */
  stop(): void {
    this.stopping.abort();
    this.cancelStreams();
  }

  /** Closes the watch: the plan does not let it be open any longer. */
  closeWatch(): void {
    this.watching?.cancel();
  }

  /** Somebody polls a job that is not there: find out, soon, whether Armada knows it. */
  requestRead(): void {
    this.readRequestedAt = performance.now();
    this.tick();
  }

  /** Writes a sign of life now: whether Redis still has what it had shows at once. */
  heartbeat(): void {
    this.heartbeatAt = performance.now();
    this.batchWriter?.heartbeat();
  }

  /** Opens the job set and follows it until its writer cannot write any more. */
  private async session(): Promise<ReflectorOutcome> {
    const writer = await this.options.sink.open(this.options.key);
    // To open it was a look at what Redis has.
    this.heartbeatAt = performance.now();
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<never>((_, reject) => (fail = reject));
    const intake = new BatchWriter({
      writer,
      lease: this.options.lease,
      observer: this.options.observer,
      hold: (held) => this.hold(held),
      failed: (error) => fail(error),
    });
    this.batchWriter = intake;
    this.rounds = this.options.reconciler.roundsOf(writer, intake);
    this.hold(false);
    try {
      const outcome = await Promise.race([failed, this.follow(intake)]);
      await Promise.race([failed, intake.close()]);
      return outcome;
    } finally {
      this.rounds.stop();
      intake.abort();
      this.cancelStreams();
    }
  }

  private async follow(intake: BatchWriter): Promise<ReflectorOutcome> {
    while (this.goesOn(intake)) {
      await this.options.lease.whenHeld();
      this.phase = 'reading';
      const { end, beganAt } = await this.read(intake);
      if (!this.goesOn(intake)) break;
      const next =
        end.kind === 'end' ? await this.arrived(intake, beganAt) : await this.settle(intake, end, beganAt);
      if (next !== 'again') return next;
    }
    return 'stopped';
  }

  /** The job set is level with `at`: it is watched, if it may be, or read again later. */
  private async arrived(intake: BatchWriter, at: number): Promise<ReflectorOutcome | 'again'> {
    const { quota: plan } = this.options;
    this.failures.synced();
    const next = await plan.nextStep(() => ({ cursor: intake.tailCursor, unfinished: intake.unfinished }));
    if (next === 'watch') {
      this.report(intake, { state: 'live', reason: '', at });
      // What was given may have been taken back by now.
      if (!this.goesOn(intake) || !plan.isWatched) return 'again';
      this.phase = 'watching';
      const watchedSince = performance.now();
      const end = await this.watch(intake);
      this.failures.watchedFor(performance.now() - watchedSince);
      return this.goesOn(intake) && plan.isWatched ? this.settle(intake, end, at) : 'again';
    }
    const told = { state: 'live', reason: '', at } as const;
    if (next === 'done') {
      // Without the time of a read it would tell of a watch.
      this.report(intake, told, performance.now());
      return next;
    }
    return this.reconciled(intake, next.readInMs, told);
  }

  /** Lets a reconciling round end before the next read, unless a poll asks for one: the round goes on beside that. */
  private async reconciled(
    intake: BatchWriter,
    readInMs: number,
    told: SyncReport,
  ): Promise<ReflectorOutcome | 'again'> {
    const round = this.rounds?.settle();
    if (round === undefined) return this.readLater(intake, readInMs, told);
    const dueAt = performance.now() + readInMs;
    this.report(intake, told, dueAt);
    this.phase = 'reconciling';
    await this.unlessWoken(round);
    if (this.wake.signal.aborted || !this.goesOn(intake)) return 'again';
    return this.readLater(intake, Math.max(0, dueAt - performance.now()), told);
  }

  /** Not once its session is over: what it would read then, nobody writes. */
  private goesOn(intake: BatchWriter): boolean {
    return !this.stopping.signal.aborted && !intake.isOver;
  }

  /** Reads from the tail to the end of what exists; `end` proves that the job set is level with the moment it began. */
  private async read(intake: BatchWriter): Promise<{ readonly end: StreamEnd; readonly beganAt: number }> {
    const why =
      this.readRequestedAt !== undefined ? 'asked' : this.phase === 'watching' ? 'check' : 'catch-up';
    await this.options.quota.admitRead(why, this.stopping.signal);
    const beganAt = performance.now();
    this.readBeganAt = beganAt;
    if (!this.goesOn(intake)) return { end: { kind: 'cancelled', reason: '' }, beganAt };
    const end = await this.open(intake, false, (message) => {
      if (this.phase === 'reading') intake.report('catching-up', '');
      intake.accept(message);
    });
    if (end.kind === 'end') {
      this.evidenceAt = beganAt;
      if (this.readRequestedAt !== undefined && this.readRequestedAt <= beganAt)
        this.readRequestedAt = undefined;
    }
    return { end, beganAt };
  }

  private async watch(intake: BatchWriter): Promise<StreamEnd> {
    this.watchTail = intake.tailCursor;
    this.lagSince = undefined;
    this.refusal = undefined;
    const end = await this.open(intake, true, (message) => {
      this.evidenceAt = performance.now();
      this.watchTail = message.cursor;
      intake.accept(message);
      if (message.cursor === intake.tailCursor) this.lagSince = undefined;
    });
    return this.refusal ?? end;
  }

  private open(
    intake: BatchWriter,
    watch: boolean,
    take: (message: StreamMessage) => void,
  ): Promise<StreamEnd> {
    return new Promise((resolve) => {
      let ended = false;
      const stream = this.options.source.open(
        { key: this.options.key, from: intake.tailCursor, watch },
        {
          message: take,
          end: (end) => {
            ended = true;
            this.streams.delete(stream);
            resolve(end);
          },
        },
      );
      if (ended) return;
      if (watch) this.watching = stream;
      this.streams.add(stream);
      if (this.held) stream.pause();
    });
  }

  /** What a stream's end means. The next one follows after a wait: here while there is a watch, else in another turn. */
  private async settle(
    intake: BatchWriter,
    end: StreamEnd,
    beganAt: number,
  ): Promise<ReflectorOutcome | 'again'> {
    const { quota: plan, observer, key } = this.options;
    const { state, retryInMs, inARow } = this.failures.classify(end, performance.now());
    observer.streamEnded(key, end, Math.round(retryInMs), inARow);
    // A queue that does not exist has no jobs: that is known as of the read that said so.
    const told = { state, reason: end.reason, ...(state === 'gone' && { at: beganAt }) };
    // There is nothing to watch: others may have the watch.
    if (state === 'denied' || state === 'gone') plan.releaseWatch(end.reason);
    if (!plan.isWatched) return this.readLater(intake, plan.scheduleRead(retryInMs), told);
    this.report(intake, told);
    this.phase = 'waiting';
    await this.pause(retryInMs);
    return 'again';
  }

  /** The turn ends, and what it knows is told; a poll that has asked meanwhile does not wait for the next one. */
  private readLater(intake: BatchWriter, ms: number, told: SyncReport): ReflectorOutcome {
    const { readRequestSpacingMs: askSpacing } = this.options.timing;
    const now = performance.now();
    const wait =
      this.readRequestedAt === undefined
        ? ms
        : Math.min(ms, Math.max(0, this.readBeganAt + askSpacing - now));
    this.report(intake, told, now + wait);
    return { readInMs: wait };
  }

  private report(intake: BatchWriter, { state, reason, at }: SyncReport, nextReadAt?: number): void {
    intake.report(state, reason, nextReadAt === undefined ? undefined : MonotonicTime(nextReadAt));
    if (at !== undefined) intake.syncedAt(MonotonicTime(at));
  }

  private tick(): void {
    const intake = this.batchWriter;
    if (intake === undefined || this.stopping.signal.aborted || !this.options.lease.isHeld()) return;
    const now = performance.now();
    const {
      heartbeatEveryMs: contactEvery,
      checkSilentWatchAfterMs: silenceCheck,
      checkWatchEveryMs: rightsCheck,
      readRequestSpacingMs: askSpacing,
      reopenLaggingWatchAfterMs: watchLag,
    } = this.options.timing;
    if (now - this.heartbeatAt >= contactEvery) this.heartbeat();
    const asked = this.readRequestedAt !== undefined && now - this.readBeganAt >= askSpacing;
    // What the catch-up brings need not be asked for.
    if (this.phase !== 'reading') this.rounds?.tick();
    if (this.phase === 'reconciling' && asked) this.wake.abort();
    if (this.phase !== 'watching') return;
    const isSilent = now - Math.max(this.evidenceAt, this.readBeganAt) >= silenceCheck;
    if (!this.checking && (asked || isSilent || now - this.readBeganAt >= rightsCheck)) {
      void this.check(intake);
    }
    if (this.lagSince !== undefined && now - this.lagSince >= watchLag) {
      this.lagSince = undefined;
      this.cancelStreams();
    }
  }

  /** Reads beside the watch: proves that the job set is level, brings what the watch does not, or shows that we may not watch. */
  private async check(intake: BatchWriter): Promise<void> {
    this.checking = true;
    try {
      const tail = intake.tailCursor;
      const { end, beganAt } = await this.read(intake);
      if (end.kind === 'end') intake.syncedAt(MonotonicTime(beganAt));
      if (end.kind === 'denied' || end.kind === 'gone') {
        this.refusal = end;
        this.cancelStreams();
      }
      if (intake.tailCursor !== tail && this.watchTail !== intake.tailCursor)
        this.lagSince ??= performance.now();
    } finally {
      this.checking = false;
    }
  }

  private hold(held: boolean): void {
    this.held = held;
    for (const stream of this.streams) {
      if (held) stream.pause();
      else stream.resume();
    }
  }

  private cancelStreams(): void {
    for (const stream of this.streams) stream.cancel();
  }

  /** Resolves when the work is done, and before that when this is woken or stopped. */
  private async unlessWoken(work: Promise<void>): Promise<void> {
    this.wake = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, this.wake.signal]);
    if (!signal.aborted) await Promise.race([work, once(signal, 'abort')]);
  }

  private async pause(ms: number): Promise<void> {
    // Being stopped is not an error.
    await sleep(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}
