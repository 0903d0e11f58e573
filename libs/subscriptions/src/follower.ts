import type { JobSetKey, StreamMessage } from '@ajs/job-state';
import { StaleWriterError, type JobSink } from '@ajs/job-store';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.js';
import type { EventSource, EventStream, StreamEnd } from './event-source.js';
import type { FollowObserver } from './follow-observer.js';
import { Intake } from './intake.js';
import { LeaseLostError, type Lease } from './lease.js';
import type { Reconciler, Rounds } from './reconciler.js';

/** All in milliseconds. */
export interface FollowTiming {
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
  /** A queue that Armada has not known for so long is gone. Armada's servers learn of a new queue up to 10 s late. */
  readonly goneAfter: number;
  readonly firstRetry: number;
  readonly longestRetry: number;
  /** For queues that we may not watch, or that are gone. */
  readonly longestRefusedRetry: number;
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
}

/**
 * Follows one job set for one turn: reads from the cursor to the end, then watches, and checks by reads; begins again
 * where a stream ends, and opens the job set again where somebody else wrote it.
 */
export class Follower {
  private readonly streams = new Set<EventStream>();
  private readonly stopping = new AbortController();
  private readonly retry: Backoff;
  private readonly refusedRetry: Backoff;
  private intake: Intake | undefined;
  private rounds: Rounds | undefined;
  private held = false;
  private phase: 'reading' | 'watching' | 'waiting' | 'gone' = 'waiting';
  private readBeganAt = -Infinity;
  private evidenceAt = -Infinity;
  private contactAt = -Infinity;
  private askedAt: number | undefined;
  private checking = false;
  private goneSince: number | undefined;
  private endsInARow = 0;
  /** Messages that a read brought and the watch has not. */
  private lagSince: number | undefined;
  private watchTail = '';
  /** What a read beside the watch was refused with: the watch is over, though Armada lets it go on. */
  private refusal: StreamEnd | undefined;
  private wake = new AbortController();

  constructor(private readonly options: FollowerOptions) {
    const { firstRetry, longestRetry, longestRefusedRetry } = options.timing;
    this.retry = new Backoff(firstRetry, longestRetry);
    this.refusedRetry = new Backoff(firstRetry, longestRefusedRetry);
  }

  /** Jobs that have not ended, as far as this turn knows. */
  get unfinished(): number {
    return this.intake?.unfinished ?? 0;
  }

  /** Follows until {@link stop} is called (resolves) or the lease is lost for good (rejects with LeaseLostError). */
  async run(): Promise<void> {
    const ticks = setInterval(() => this.tick(), TICK_MS);
    try {
      while (!this.stopping.signal.aborted) {
        await this.options.lease.whenHeld();
        try {
          await this.session();
        } catch (error) {
          if (error instanceof LeaseLostError) throw error;
          if (error instanceof StaleWriterError) this.options.observer.staleWriter(this.options.key);
          else this.options.observer.writeFailed(this.options.key, error as Error);
          await this.pause(this.retry.next());
        }
      }
    } finally {
      clearInterval(ticks);
    }
  }

  /** Stops reading. What was read is still written before {@link run} resolves. */
  stop(): void {
    this.stopping.abort();
    this.cancelStreams();
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
  private async session(): Promise<void> {
    const writer = await this.options.sink.open(this.options.key);
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
      await Promise.race([failed, this.follow(intake)]);
      await intake.close();
    } finally {
      this.rounds.stop();
      intake.abort();
      this.cancelStreams();
    }
  }

  private async follow(intake: Intake): Promise<void> {
    while (this.goesOn(intake)) {
      await this.options.lease.whenHeld();
      this.phase = 'reading';
      let end = await this.read(intake);
      if (!this.goesOn(intake)) return;
      if (end.kind === 'end') {
        this.goneSince = undefined;
        this.endsInARow = 0;
        this.refusedRetry.reset();
        intake.report('live', '');
        this.phase = 'watching';
        const watchedSince = performance.now();
        end = await this.watch(intake);
        if (performance.now() - watchedSince > this.options.timing.longestRetry) this.retry.reset();
      }
      if (!this.goesOn(intake)) return;
      await this.settle(intake, end);
    }
  }

  /** Not once its session is over: what it would read then, nobody writes. */
  private goesOn(intake: Intake): boolean {
    return !this.stopping.signal.aborted && !intake.isOver;
  }

  /** Reads from the tail to the end of what exists; `end` proves that the job set is level with the moment it began. */
  private async read(intake: Intake): Promise<StreamEnd> {
    const beganAt = performance.now();
    this.readBeganAt = beganAt;
    const end = await this.open(intake, false, (message) => {
      if (this.phase === 'reading') intake.report('catching-up', '');
      intake.accept(message);
    });
    if (end.kind === 'end') {
      this.evidenceAt = beganAt;
      intake.levelAt(beganAt);
      if (this.askedAt !== undefined && this.askedAt <= beganAt) this.askedAt = undefined;
    }
    return end;
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
      this.streams.add(stream);
      if (this.held) stream.pause();
    });
  }

  /** What a stream's end means, and the wait before the next one. */
  private async settle(intake: Intake, end: StreamEnd): Promise<void> {
    const now = performance.now();
    const { goneAfter } = this.options.timing;
    let wait = this.retry;
    this.phase = 'waiting';
    if (end.kind === 'denied') {
      intake.report('denied', end.reason);
      wait = this.refusedRetry;
    } else if (end.kind === 'gone') {
      this.goneSince ??= now;
      if (now - this.goneSince >= goneAfter) {
        // A queue that does not exist has no jobs: that is known as of the read that said so.
        intake.report('gone', end.reason);
        intake.levelAt(this.readBeganAt);
        this.phase = 'gone';
        wait = this.refusedRetry;
      } else {
        intake.report('connecting', end.reason);
      }
    } else {
      this.goneSince = undefined;
      intake.report('connecting', end.reason);
    }
    const delay = wait.next();
    this.options.observer.streamEnded(this.options.key, end, Math.round(delay), ++this.endsInARow);
    await this.pause(delay);
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
    if (this.phase === 'gone' && asked) this.wake.abort();
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
      const end = await this.read(intake);
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

  private async pause(ms: number): Promise<void> {
    this.wake = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, this.wake.signal]);
    // Being woken is not an error.
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }
}
