import { msBetween, type JobSetKey, type MonotonicTime } from '@ajs/job-state';
import type { JobSetWriter } from '@ajs/job-store';
import { monotonicNow, type LoopProgress } from '@ajs/platform';
import type { BatchPacer } from './batch-pacer.js';
import { BatchWriter, type BatchFeed } from './batch-writer.js';
import type { EventSource, EventStream, StreamEnd, StreamListener } from './event-source.js';
import type { JobSetQuota, ReadReason } from './job-set-quota.js';
import type { Lease } from './lease.js';
import type { Reconciler, Rounds } from './reconciler.js';
import type { ReflectorObserver } from './reflector-observer.js';
import type { ReflectorInput, SessionEffect, SyncReport, WatchProgress } from './reflector-state.js';
import type { StreamFailures } from './stream-failures.js';
import { ReadListener, WatchListener, type StreamOwner } from './stream-listeners.js';

/** Hears what happens in a session, until it is closed or abandoned. */
export interface SessionOwner {
  readonly progress: LoopProgress;
  dispatch(input: ReflectorInput): void;
  /** The session cannot go on. */
  fail(error: unknown): void;
}

export interface SessionOptions {
  readonly key: JobSetKey;
  readonly source: EventSource;
  readonly lease: Lease;
  readonly observer: ReflectorObserver;
  readonly reconciler: Reconciler;
  readonly pacer: BatchPacer;
  readonly quota: JobSetQuota;
}

/** What there is from opening a job set in the store until it is opened again: its streams, its batch writer, its rounds. */
export class ReflectorSession implements BatchFeed, StreamOwner {
  readonly batchWriter: BatchWriter;
  readonly openedAt = monotonicNow();
  private readonly rounds: Rounds;
  private readonly streams = new Map<StreamListener, EventStream>();
  private watch: WatchListener | undefined;
  private admission = new AbortController();
  private isPaused = false;
  private hasEnded = false;

  constructor(
    writer: JobSetWriter,
    private readonly options: SessionOptions,
    private readonly failures: StreamFailures,
    private readonly owner: SessionOwner,
  ) {
    const { lease, observer, reconciler, pacer } = options;
    this.batchWriter = new BatchWriter(writer, lease, observer, this, owner.progress, pacer);
    this.rounds = reconciler.roundsOf(writer, this.batchWriter);
  }

  /** Whether it was abandoned. */
  get isOver(): boolean {
    return this.hasEnded;
  }

  get watchProgress(): WatchProgress | undefined {
    return this.watch?.progress;
  }

  perform(effect: SessionEffect): void {
    const { batchWriter, rounds } = this;
    const { quota } = this.options;
    switch (effect.kind) {
      case 'admit-read':
        this.admitRead(effect.reason);
        return;
      case 'open-read':
        this.open(false, new ReadListener(effect.purpose, batchWriter, this));
        return;
      case 'open-watch':
        this.watch = new WatchListener(batchWriter, this);
        this.open(true, this.watch);
        return;
      case 'fail-watch':
        this.watchEnded(effect.end);
        return;
      case 'close-streams':
        this.closeStreams();
        return;
      case 'decide-step':
        this.decideStep();
        return;
      case 'schedule-read': {
        const step = { readInMs: quota.scheduleRead(effect.afterMs) };
        this.dispatch({ kind: 'step-decided', step, isWatched: false });
        return;
      }
      case 'release-watch':
        quota.releaseWatch(effect.reason);
        return;
      case 'report':
        this.report(effect.report, effect.nextReadAt);
        return;
      case 'mark-synced':
        batchWriter.markSynced(effect.at);
        return;
      case 'write-heartbeat':
        batchWriter.heartbeat();
        return;
      case 'reconcile':
        rounds.tick();
        return;
      case 'finish-round':
        this.finishRound();
        return;
      case 'close-job-set':
        rounds.stop();
        this.whenDone(batchWriter.close(), () => this.dispatch({ kind: 'closed' }));
        return;
    }
  }

  /** Closes the streams, and writes nothing more. */
  abandon(): void {
    this.hasEnded = true;
    this.rounds.stop();
    this.batchWriter.abort();
    this.closeStreams();
  }

  pause(): void {
    this.isPaused = true;
    for (const stream of this.streams.values()) stream.pause();
  }

  resume(): void {
    this.isPaused = false;
    for (const stream of this.streams.values()) stream.resume();
  }

  fail(error: unknown): void {
    if (!this.isOver) this.owner.fail(error);
  }

  readProgressed(): void {
    this.dispatch({ kind: 'read-progressed' });
  }

  readEnded(read: ReadListener, end: StreamEnd): void {
    this.streams.delete(read);
    const isAheadOfWatch = read.hasNews && this.watch?.progress.isCaughtUp === false;
    if (end.kind === 'end') this.dispatch({ kind: 'read-completed', isAheadOfWatch });
    else if (read.purpose === 'check') this.dispatch({ kind: 'check-failed', end, isAheadOfWatch });
    else this.streamFailed(end);
  }

  /** The watch ended, or is taken for ended. */
  watchEnded(end: StreamEnd): void {
    this.closeStreams();
    this.streamFailed(end);
  }

  private admitRead(reason: ReadReason): void {
    this.withdrawRead();
    const { lease, quota } = this.options;
    const { signal } = this.admission;
    const admitted = lease.whenHeld().then(() => quota.admitRead(reason, signal));
    this.whenDone(admitted, () => {
      if (!signal.aborted) this.dispatch({ kind: 'read-admitted' });
    });
  }

  private withdrawRead(): void {
    this.admission.abort();
    this.admission = new AbortController();
  }

  private closeStreams(): void {
    this.withdrawRead();
    if (this.watch !== undefined) this.failures.watchedFor(msBetween(this.watch.openedAt, monotonicNow()));
    this.watch = undefined;
    for (const stream of this.streams.values()) stream.cancel();
    this.streams.clear();
  }

  private decideStep(): void {
    const { batchWriter, failures } = this;
    const { quota } = this.options;
    failures.synced();
    const decided = quota.nextStep(() => ({
      cursor: batchWriter.tailCursor,
      unfinished: batchWriter.unfinished,
      eventsPerMinute: batchWriter.eventsPerMinute,
    }));
    this.whenDone(decided, (step) =>
      this.dispatch({ kind: 'step-decided', step, isWatched: quota.isWatched }),
    );
  }

  private report({ state, reason, syncedAt }: SyncReport, nextReadAt: MonotonicTime | undefined): void {
    this.batchWriter.report(state, reason, nextReadAt);
    if (syncedAt !== undefined) this.batchWriter.markSynced(syncedAt);
  }

  private finishRound(): void {
    // Whether a job is unfinished is known once it is written.
    const finished = this.batchWriter.flushed().then(() => this.rounds.settle());
    this.whenDone(finished, () => this.dispatch({ kind: 'round-ended' }));
  }

  private streamFailed(end: StreamEnd): void {
    const { key, observer, quota } = this.options;
    const verdict = this.failures.classify(end, monotonicNow(), this.batchWriter.tailCursor);
    observer.streamEnded(key, end, Math.round(verdict.retryInMs), verdict.inARow);
    this.dispatch({ kind: 'stream-failed', reason: end.reason, verdict, isWatched: quota.isWatched });
  }

  private open(watch: boolean, listener: StreamListener): void {
    const { source, key, observer } = this.options;
    const from = this.batchWriter.tailCursor;
    let skipped = 0;
    const skipUnreadable = (reason: string): void => {
      if (this.failures.skipped(++skipped)) observer.messageSkipped(key, from, reason);
    };
    const request = { key, from, watch, ...(this.failures.skipsAfter(from) && { skipUnreadable }) };
    const stream = source.open(request, listener);
    this.streams.set(listener, stream);
    if (this.isPaused) stream.pause();
  }

  private dispatch(input: ReflectorInput): void {
    if (!this.isOver) this.owner.dispatch(input);
  }

  private whenDone<T>(work: Promise<T>, then: (result: T) => void): void {
    work.then(then).catch((error: unknown) => this.fail(error));
  }
}
