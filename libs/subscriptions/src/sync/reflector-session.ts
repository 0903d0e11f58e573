import { msBetween, type JobSetKey } from '@ajs/job-state';
import type { JobSetWriter } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { BatchWriter, type BatchFeed } from './batch-writer.js';
import type { EventSource, EventStream, StreamEnd, StreamListener } from './event-source.js';
import type { JobSetQuota, ReadReason } from './job-set-quota.js';
import type { Lease } from './lease.js';
import type { Reconciler, Rounds } from './reconciler.js';
import type { ReflectorObserver } from './reflector-observer.js';
import type { ReflectorInput, WatchProgress } from './reflector-state.js';
import type { StreamFailures } from './stream-failures.js';
import { ReadListener, WatchListener, type StreamOwner } from './stream-listeners.js';

/** Hears what happens in a session, until it is closed or abandoned. */
export interface SessionOwner {
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
  readonly quota: JobSetQuota;
}

/** What there is from opening a job set in the store until it is opened again: its streams, its batch writer, its rounds. */
export class ReflectorSession implements BatchFeed, StreamOwner {
  readonly batchWriter: BatchWriter;
  readonly openedAt = monotonicNow();
  private readonly rounds: Rounds;
  private readonly streams = new Set<EventStream>();
  private watch: WatchListener | undefined;
  private admission = new AbortController();
  private isPaused = false;
  private isOver = false;

  constructor(
    writer: JobSetWriter,
    private readonly options: SessionOptions,
    private readonly failures: StreamFailures,
    private readonly owner: SessionOwner,
  ) {
    const { lease, observer, reconciler } = options;
    this.batchWriter = new BatchWriter(writer, lease, observer, this);
    this.rounds = reconciler.roundsOf(writer, this.batchWriter);
  }

  get watchProgress(): WatchProgress | undefined {
    return this.watch?.progress;
  }

  admitRead(reason: ReadReason): void {
    const { lease, quota } = this.options;
    const { signal } = this.admission;
    const admitted = lease.whenHeld().then(() => quota.admitRead(reason, signal));
    this.answer(admitted, () => !signal.aborted && this.tell({ kind: 'read-admitted' }));
  }

  /** Reads from the tail to the end of what exists. */
  openRead(purpose: ReadListener['purpose']): void {
    this.open(false, new ReadListener(purpose, this.batchWriter, this));
  }

  openWatch(): void {
    this.watch = new WatchListener(this.batchWriter, this);
    this.open(true, this.watch);
  }

  /** Closes the streams, and withdraws a read that is not admitted yet. */
  closeStreams(): void {
    this.admission.abort();
    this.admission = new AbortController();
    if (this.watch !== undefined) this.failures.watchedFor(msBetween(this.watch.openedAt, monotonicNow()));
    this.watch = undefined;
    for (const stream of this.streams) stream.cancel();
    this.streams.clear();
  }

  decideStep(): void {
    const { quota } = this.options;
    this.failures.synced();
    const { batchWriter } = this;
    const decided = quota.nextStep(() => ({
      cursor: batchWriter.tailCursor,
      unfinished: batchWriter.unfinished,
    }));
    this.answer(decided, (step) => this.tell({ kind: 'step-decided', step, isWatched: quota.isWatched }));
  }

  reconcile(): void {
    this.rounds.tick();
  }

  finishRound(): void {
    // Whether a job is unfinished is known once it is written.
    const finished = this.batchWriter.flushed().then(() => this.rounds.settle());
    this.answer(finished, () => this.tell({ kind: 'round-ended' }));
  }

  /** Writes what was read, then nothing more. */
  close(): void {
    this.rounds.stop();
    this.answer(this.batchWriter.close(), () => this.tell({ kind: 'closed' }));
  }

  /** Writes nothing more. */
  abandon(): void {
    this.isOver = true;
    this.rounds.stop();
    this.batchWriter.abort();
    this.closeStreams();
  }

  pause(): void {
    this.isPaused = true;
    for (const stream of this.streams) stream.pause();
  }

  resume(): void {
    this.isPaused = false;
    for (const stream of this.streams) stream.resume();
  }

  fail(error: unknown): void {
    if (!this.isOver) this.owner.fail(error);
  }

  readProgressed(): void {
    this.tell({ kind: 'read-progressed' });
  }

  readEnded(read: ReadListener, end: StreamEnd): void {
    const isAheadOfWatch = read.hasNews && this.watch?.progress.isCaughtUp === false;
    if (end.kind === 'end') this.tell({ kind: 'read-completed', isAheadOfWatch });
    else if (read.purpose === 'check') this.tell({ kind: 'check-failed', end, isAheadOfWatch });
    else this.streamFailed(end);
  }

  /** The watch ended, or is to be taken for ended. */
  watchEnded(end: StreamEnd): void {
    this.closeStreams();
    this.streamFailed(end);
  }

  private streamFailed(end: StreamEnd): void {
    const { key, observer, quota } = this.options;
    const verdict = this.failures.classify(end, performance.now());
    observer.streamEnded(key, end, Math.round(verdict.retryInMs), verdict.inARow);
    this.tell({ kind: 'stream-failed', reason: end.reason, verdict, isWatched: quota.isWatched });
  }

  private open(watch: boolean, listener: StreamListener): void {
    const { source, key } = this.options;
    const stream = source.open({ key, from: this.batchWriter.tailCursor, watch }, listener);
    this.streams.add(stream);
    if (this.isPaused) stream.pause();
  }

  private tell(input: ReflectorInput): void {
    if (!this.isOver) this.owner.dispatch(input);
  }

  private answer<T>(work: Promise<T>, then: (result: T) => void): void {
    work.then(then).catch((error: unknown) => this.fail(error));
  }
}
