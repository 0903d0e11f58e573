import type { JobSetKey, StreamMessage } from '@ajs/job-state';
import { StaleWriterError, type JobSink, type SubscriptionReport } from '@ajs/job-store';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.js';
import type { EventSource, EventStream, StreamEnd } from './event-source.js';
import type { FollowObserver } from './follow-observer.js';
import { Intake } from './intake.js';
import { LeaseLostError, type Lease } from './lease.js';
import type { JobSetPlan } from './plan.js';
import type { Reconciler, Rounds } from './reconciler.js';
import { Trouble, type TroubleTiming } from './trouble.js';

/** All in milliseconds. */
export interface FollowTiming extends TroubleTiming {
  /** A sign of life is written this often, idle or not: how soon a Redis that lost writes, or another holder, is noticed. */
  readonly contactEvery: number;
  /** A watch that has been silent for so long is checked by a read. */
  readonly silenceCheck: number;
  /** A watch is checked by a read this often, however much it brings: Armada does not end it when we may no longer watch. */
  readonly rightsCheck: number;
  /** Reads that polls ask for begin at least this far apart. */
  readonly askSpacing: number;
  /** A watch that lacks a message which a read brought is opened anew after so long. */
  readonly watchLag: number;
}

export const FOLLOW_TIMING: FollowTiming = {
  contactEvery: 3_000,
  silenceCheck: 10_000,
  rightsCheck: 60_000,
  askSpacing: 1_000,
  watchLag: 5_000,
  goneAfter: 15_000,
  firstRetry: 500,
  longestRetry: 10_000,
  longestRefusedRetry: 60_000,
};

const TICK_MS = 250;

export interface FollowerOptions {
  readonly key: JobSetKey;
  readonly sink: JobSink;
  readonly source: EventSource;
  readonly lease: Lease;
  readonly observer: FollowObserver;
  readonly reconciler: Reconciler;
  readonly timing: FollowTiming;
  readonly plan: JobSetPlan;
  /** How its streams have failed in earlier turns. */
  readonly trouble?: Trouble;
}

/**
 * How following ended: it was stopped, nobody asks any more, or the job set is to be read again after so many milliseconds.
 */
export type Outcome = 'stopped' | 'done' | { readonly readInMs: number };

/** What is told of the subscription, and the moment that the job set is level with, where it is. */
interface Told {
  readonly state: SubscriptionReport['state'];
  readonly reason: string;
  readonly at?: number;
}

/**
 * Follows one job set for one turn: reads from the cursor to the end, then watches as long as it may, and checks by reads; begins
 * again where a watch ends, and opens the job set again where somebody else wrote it.
 */
export class Follower {
  private readonly streams = new Set<EventStream>();
  private watching: EventStream | undefined;
  private readonly stopping = new AbortController();
  private readonly reopening: Backoff;
  private readonly trouble: Trouble;
  private intake: Intake | undefined;
  private rounds: Rounds | undefined;
  private held = false;
  private phase: 'reading' | 'reconciling' | 'watching' | 'waiting' = 'waiting';
  private readBeganAt = -Infinity;
  private evidenceAt = -Infinity;
  private contactAt = 0;
  private askedAt: number | undefined;
  private checking = false;
  /** Messages that a read brought and the watch has not. */
  private lagSince: number | undefined;
  private watchTail = '';
  /** What a read beside the watch was refused with: the watch is over, though Armada lets it go on. */
  private refusal: StreamEnd | undefined;
  private wake = new AbortController();

  constructor(private readonly options: FollowerOptions) {
    const { firstRetry, longestRetry } = options.timing;
    this.reopening = new Backoff(firstRetry, longestRetry);
    this.trouble = options.trouble ?? new Trouble(options.timing);
  }

  /** Jobs that have not ended, as far as this turn knows. */
  get unfinished(): number {
    return this.intake?.unfinished ?? 0;
  }

  /** Follows until there is an outcome, or the lease is lost for good (rejects with LeaseLostError). */
  async run(): Promise<Outcome> {
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
          if (performance.now() - beganAt > this.options.timing.longestRetry) this.reopening.reset();
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
  ask(): void {
    this.askedAt = performance.now();
    this.tick();
  }

  /** Writes a sign of life now: whether Redis still has what it had shows at once. */
  contact(): void {
    this.contactAt = performance.now();
    this.intake?.contact();
  }

  /** Opens the job set and follows it until its writer cannot write any more. */
  private async session(): Promise<Outcome> {
    const writer = await this.options.sink.open(this.options.key);
    // To open it was a look at what Redis has.
    this.contactAt = performance.now();
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<never>((_, reject) => (fail = reject));
    const intake = new Intake({
      writer,
      lease: this.options.lease,
      observer: this.options.observer,
      hold: (held) => this.hold(held),
      failed: (error) => fail(error),
    });
    this.intake = intake;
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

  private async follow(intake: Intake): Promise<Outcome> {
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
  private async arrived(intake: Intake, at: number): Promise<Outcome | 'again'> {
    const { plan } = this.options;
    this.trouble.caughtUp();
    const next = await plan.next(() => ({ cursor: intake.tailCursor, unfinished: intake.unfinished }));
    if (next === 'watch') {
      this.tell(intake, { state: 'live', reason: '', at });
      // What was given may have been taken back by now.
      if (!this.goesOn(intake) || !plan.isWatched) return 'again';
      this.phase = 'watching';
      const watchedSince = performance.now();
      const end = await this.watch(intake);
      this.trouble.watchedFor(performance.now() - watchedSince);
      return this.goesOn(intake) && plan.isWatched ? this.settle(intake, end, at) : 'again';
    }
    const told = { state: 'live', reason: '', at } as const;
    if (next === 'done') {
      // Without the time of a read it would tell of a watch.
      this.tell(intake, told, performance.now());
      return next;
    }
    return this.reconciled(intake, next.readInMs, told);
  }

  /** Lets a reconciling round end before the next read, unless a poll asks for one: the round goes on beside that. */
  private async reconciled(intake: Intake, readInMs: number, told: Told): Promise<Outcome | 'again'> {
    const round = this.rounds?.settle();
    if (round === undefined) return this.readLater(intake, readInMs, told);
    const dueAt = performance.now() + readInMs;
    this.tell(intake, told, dueAt);
    this.phase = 'reconciling';
    await this.unlessWoken(round);
    if (this.wake.signal.aborted || !this.goesOn(intake)) return 'again';
    return this.readLater(intake, Math.max(0, dueAt - performance.now()), told);
  }

  /** Not once its session is over: what it would read then, nobody writes. */
  private goesOn(intake: Intake): boolean {
    return !this.stopping.signal.aborted && !intake.isOver;
  }

  /** Reads from the tail to the end of what exists; `end` proves that the job set is level with the moment it began. */
  private async read(intake: Intake): Promise<{ readonly end: StreamEnd; readonly beganAt: number }> {
    const why = this.askedAt !== undefined ? 'asked' : this.phase === 'watching' ? 'check' : 'catch-up';
    await this.options.plan.readMayBegin(why, this.stopping.signal);
    const beganAt = performance.now();
    this.readBeganAt = beganAt;
    if (!this.goesOn(intake)) return { end: { kind: 'cancelled', reason: '' }, beganAt };
    const end = await this.open(intake, false, (message) => {
      if (this.phase === 'reading') intake.report('catching-up', '');
      intake.accept(message);
    });
    if (end.kind === 'end') {
      this.evidenceAt = beganAt;
      if (this.askedAt !== undefined && this.askedAt <= beganAt) this.askedAt = undefined;
    }
    return { end, beganAt };
  }

  private async watch(intake: Intake): Promise<StreamEnd> {
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

  private open(intake: Intake, watch: boolean, take: (message: StreamMessage) => void): Promise<StreamEnd> {
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
  private async settle(intake: Intake, end: StreamEnd, beganAt: number): Promise<Outcome | 'again'> {
    const { plan, observer, key } = this.options;
    const { state, retryInMs, inARow } = this.trouble.setback(end, performance.now());
    observer.streamEnded(key, end, Math.round(retryInMs), inARow);
    // A queue that does not exist has no jobs: that is known as of the read that said so.
    const told = { state, reason: end.reason, ...(state === 'gone' && { at: beganAt }) };
    // There is nothing to watch: others may have the watch.
    if (state === 'denied' || state === 'gone') plan.giveUpWatch(end.reason);
    if (!plan.isWatched) return this.readLater(intake, plan.readAfter(retryInMs), told);
    this.tell(intake, told);
    this.phase = 'waiting';
    await this.pause(retryInMs);
    return 'again';
  }

  /** The turn ends, and what it knows is told; a poll that has asked meanwhile does not wait for the next one. */
  private readLater(intake: Intake, ms: number, told: Told): Outcome {
    const { askSpacing } = this.options.timing;
    const now = performance.now();
    const wait =
      this.askedAt === undefined ? ms : Math.min(ms, Math.max(0, this.readBeganAt + askSpacing - now));
    this.tell(intake, told, now + wait);
    return { readInMs: wait };
  }

  private tell(intake: Intake, { state, reason, at }: Told, nextReadAt?: number): void {
    intake.report(state, reason, nextReadAt);
    if (at !== undefined) intake.levelAt(at);
  }

  private tick(): void {
    const intake = this.intake;
    if (intake === undefined || this.stopping.signal.aborted || !this.options.lease.isHeld()) return;
    const now = performance.now();
    const { contactEvery, silenceCheck, rightsCheck, askSpacing, watchLag } = this.options.timing;
    if (now - this.contactAt >= contactEvery) this.contact();
    const asked = this.askedAt !== undefined && now - this.readBeganAt >= askSpacing;
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
  private async check(intake: Intake): Promise<void> {
    this.checking = true;
    try {
      const tail = intake.tailCursor;
      const { end, beganAt } = await this.read(intake);
      if (end.kind === 'end') intake.levelAt(beganAt);
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
