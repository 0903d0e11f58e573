import {
  compareMessageIds,
  foldBatch,
  parseMessageId,
  toMs,
  type ArmadaTime,
  type JobEnd,
  type MessageId,
  type MonotonicTime,
  type RedisTime,
  type StreamMessage,
  type JobId,
  type Cursor,
} from '@ajs/job-state';
import { StaleWriterError, type Batch, type JobSetWriter, type SubscriptionReport } from '@ajs/job-store';
import type { LoopProgress } from '@ajs/platform';
import { monotonicNow } from '@ajs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.js';
import type { BatchPacer } from './batch-pacer.js';
import { EventRate } from './event-rate.js';
import type { Lease } from './lease.js';
import type { ReflectorObserver } from './reflector-observer.js';
import { repairJobs } from './repair-jobs.js';
import { isRetryable } from './store-failure.js';
import { SyncProgress } from './sync-progress.js';

/** Messages written at once. Larger batches are not faster, and block Redis for longer. */
const BATCH_SIZE = 500;
/** The feed is paused when so many messages wait to be written, and resumed when no more than the second number do. */
const PAUSE_AT = 2_000;
const RESUME_AT = 500;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;

const NO_ENDS: ReadonlyMap<JobId, JobEnd> = new Map();

/** Whoever gives a batch writer its messages. */
export interface BatchFeed {
  /** Stops delivering, as far as it can; a few more messages may come. */
  pause(): void;
  resume(): void;
  /** Called once when nothing more can be written: open the job set again, if the error says that this may help. */
  fail(error: unknown): void;
}

/** Ends that Armada's own `api.Jobs` reported, and who waits until they are written. */
interface Repairs {
  readonly ends: ReadonlyMap<JobId, JobEnd>;
  readonly done: (repaired: readonly JobId[]) => void;
}

/** What came of a write. */
interface Written {
  readonly repaired: readonly JobId[];
  /** When the write was sent, and when Redis took it. */
  readonly sentAt: MonotonicTime;
  readonly writtenAt: RedisTime;
}

/**
 * Writes what the streams of one job set deliver: takes messages in any overlap, keeps them in one order, lets them gather for as long as
 * the pacer says, folds them and writes one batch after the other, not at all while the lease is not held, and claims that the job set is synced only with the write
 * that makes it so. A batch that Redis does not take is tried again before anything newer.
 */
export class BatchWriter {
  private readonly backoff = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS);
  private readonly stopping = new AbortController();
  private readonly progress = new SyncProgress();
  private readonly rate: EventRate;
  private readonly queue: StreamMessage[] = [];
  private tail: MessageId | undefined;
  private subscription: SubscriptionReport = { state: 'connecting', reason: '' };
  /** Some of the job set was read in an earlier session: what comes now is news. */
  private readonly wasRead: boolean;
  private isPaused = false;
  private isHeartbeatDue = false;
  private isReconciled = false;
  private isLagging = false;
  private repairs: Repairs | undefined;
  private isDraining = false;
  private isFlushing = false;
  private endPause: () => void = () => {};
  private drained = Promise.resolve();

  constructor(
    private readonly writer: JobSetWriter,
    private readonly lease: Lease,
    private readonly observer: ReflectorObserver,
    private readonly feed: BatchFeed,
    private readonly writes: LoopProgress,
    private readonly pacer: BatchPacer,
  ) {
    this.tailCursor = writer.cursor;
    this.wasRead = writer.cursor !== '';
    this.tail = parseMessageId(writer.cursor);
    this.rate = new EventRate(writer.storedRate, monotonicNow());
  }

  /** The last message accepted, written or not: where the next stream starts. */
  tailCursor: Cursor;

  get unfinished(): number {
    return this.writer.unfinished;
  }

  /** How often messages come, on average. What the first read of a job set brings is history, and says nothing of that. */
  get eventsPerMinute(): number {
    return this.rate.at(monotonicNow());
  }

  /** Takes a message, unless it was taken before. */
  accept(message: StreamMessage): void {
    if (this.stopping.signal.aborted) return;
    if (this.tail !== undefined && compareMessageIds(message.id, this.tail) <= 0) return;
    this.tail = message.id;
    this.tailCursor = message.cursor;
    this.progress.accept(message);
    this.queue.push(message);
    this.pacer.messageAccepted();
    if (!this.isHistory) this.rate.count();
    if (this.queue.length >= PAUSE_AT || this.pacer.isFull) this.pauseFeed();
    if (this.isDue) this.endPause();
    this.startDraining();
  }

  /** All that Armada had at this moment has been accepted: the job set is synced as of then once that is written. */
  markSynced(at: MonotonicTime): void {
    this.progress.markSynced(at);
    this.heartbeat();
  }

  /** What every write says of the subscription from now on. It is written at once, but for the begin of a first read: its first batch says so. */
  report(state: SubscriptionReport['state'], reason: string, nextReadAt?: MonotonicTime): void {
    const { subscription: before } = this;
    if (state === before.state && reason === before.reason && nextReadAt === before.nextReadAt) return;
    this.subscription = { state, reason, ...(nextReadAt !== undefined && { nextReadAt }) };
    // Most job sets are read with one batch: a write before it would cost as much again.
    if (state === 'catching-up' && before.state === 'connecting' && before.reason === '') return;
    this.heartbeat();
  }

  /** Writes a heartbeat, with the next batch or without one. */
  heartbeat(): void {
    this.isHeartbeatDue = true;
    this.endPause();
    this.startDraining();
  }

  /**
   * Gives jobs the end that Armada's own `api.Jobs` reported, in one order with the stream, as if it had shown it. One call at a time.
   * Resolves, when they are in Redis, to the jobs that had not ended before; to none where nothing is written any more.
   */
  repair(ends: ReadonlyMap<JobId, JobEnd>): Promise<readonly JobId[]> {
    return new Promise((done) => {
      if (this.stopping.signal.aborted) {
        done([]);
        return;
      }
      this.repairs = { ends, done };
      this.heartbeat();
    });
  }

  /** The next write says that the job set has just been compared with Armada's own `api.Jobs`. */
  markReconciled(): void {
    this.isReconciled = true;
    this.heartbeat();
  }

  /** Writes what was accepted without a pause; resolves when that is done, or nothing is written any more. */
  flushed(): Promise<void> {
    this.isFlushing = this.isDraining;
    this.endPause();
    return this.drained;
  }

  /** Writes what was accepted, and then nothing more. */
  async close(): Promise<void> {
    await this.flushed();
    this.abort();
  }

  /** Writes nothing more. */
  abort(): void {
    this.stopping.abort();
    this.repairs?.done([]);
    this.endPause();
    this.dequeue(this.queue.length);
    this.tellEventLag(0);
  }

  private startDraining(): void {
    if (this.isDraining || this.stopping.signal.aborted) return;
    this.isDraining = true;
    this.drained = this.drain().catch((error: unknown) => {
      // Being stopped is no failure.
      if (this.stopping.signal.aborted) return;
      this.abort();
      this.feed.fail(error);
    });
  }

  private async drain(): Promise<void> {
    // Heartbeats that several callers ask for at once are one.
    await Promise.resolve();
    try {
      while (!this.stopping.signal.aborted && (this.queue.length > 0 || this.isHeartbeatDue)) {
        if (!this.isDue) await this.pause();
        const messages = this.queue.slice(0, BATCH_SIZE);
        this.isHeartbeatDue = false;
        await this.write(messages);
        this.dequeue(messages.length);
        if (this.queue.length <= RESUME_AT) this.resumeFeed();
      }
    } finally {
      // In one step with the last look at the queue: what comes later starts another drain.
      this.isDraining = false;
      this.isFlushing = false;
    }
  }

  /** More messages would not come, or would not fit, or are not worth waiting for. */
  private get isDue(): boolean {
    return this.isHeartbeatDue || this.isFlushing || this.isPaused || this.queue.length >= BATCH_SIZE;
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.pacer.pause(this.subscription.state === 'live', resolve);
      this.endPause = () => {
        cancel();
        resolve();
      };
    });
    this.endPause = () => {};
    this.stopping.signal.throwIfAborted();
  }

  private dequeue(count: number): void {
    this.pacer.messagesLeft(this.queue.splice(0, count).length);
  }

  /** Writes these messages, with what is due besides. */
  private async write(messages: readonly StreamMessage[]): Promise<void> {
    const { repairs, isReconciled, progress } = this;
    const isLive = this.subscription.state === 'live';
    const claim = progress.claim(messages.length, isLive && messages.length === this.queue.length);
    const { isHistory } = this;
    const { repaired, sentAt, writtenAt } = await this.untilWritten(() =>
      this.tryWrite(messages, claim.syncedAt, repairs?.ends ?? NO_ENDS, isReconciled),
    );
    this.writes.moved();
    progress.commit(claim, sentAt, writtenAt);
    this.tellEventLag(this.writer.eventLagMs);
    // What came due during the write is in the next one.
    if (isReconciled) this.isReconciled = false;
    if (repairs !== undefined && this.repairs === repairs) this.repairs = undefined;
    repairs?.done(repaired);
    if (messages.length === 0) return;
    this.observer.batchWritten(messages.length, isHistory ? undefined : ageMs(messages, writtenAt));
  }

  /** Tries until Redis has taken the batch; rejects with what trying again does not heal. */
  private async untilWritten<T>(attempt: () => Promise<T>): Promise<T> {
    const { writer, lease, observer } = this;
    let stale: StaleWriterError | undefined;
    for (;;) {
      if (!lease.isHeld()) {
        this.pauseFeed();
        await lease.whenHeld();
      }
      try {
        // Provisional jobs leave the job set where it stood: the same batch is folded again over them.
        if (stale !== undefined && !(await writer.reload())) throw stale;
        stale = undefined;
        const result = await attempt();
        this.backoff.reset();
        return result;
      } catch (error) {
        if (error instanceof StaleWriterError && error !== stale) {
          stale = error;
          observer.reloading(writer.key);
          continue;
        }
        if (error === stale || !isRetryable(error)) throw error;
        this.writes.failed(error as Error);
        observer.writeFailed(writer.key, error as Error);
        // What waits in memory while nothing can be written is what has been read already.
        this.pauseFeed();
        await sleep(this.backoff.next(), undefined, { signal: this.stopping.signal });
      }
    }
  }

  private async tryWrite(
    messages: readonly StreamMessage[],
    syncedAt: MonotonicTime | undefined,
    ends: ReadonlyMap<JobId, JobEnd>,
    isReconciled: boolean,
  ): Promise<Written> {
    const { writer, subscription } = this;
    const jobIds = new Set(ends.keys());
    for (const { event } of messages) if (event !== undefined) jobIds.add(event.jobId);
    const known = await writer.load(jobIds);
    const records = foldBatch(known, messages);
    const repaired = repairJobs(known, records, ends);
    const isSynced = this.progress.isSynced || syncedAt !== undefined;
    const sentAt = monotonicNow();
    const writtenAt = await writer.write({
      cursor: messages.at(-1)?.cursor ?? writer.cursor,
      records,
      subscription: {
        ...subscription,
        ...(subscription.state === 'live' && !isSynced && { state: 'catching-up' }),
        ...(syncedAt !== undefined && { syncedAt }),
      },
      ...latestTime(messages),
      eventsPerMinute: this.eventsPerMinute,
      ...(isReconciled && { reconciled: true }),
    });
    return { repaired, sentAt, writtenAt };
  }

  /** The job set is being read for the first time. */
  private get isHistory(): boolean {
    return !this.wasRead && !this.progress.isSynced;
  }

  private tellEventLag(lagMs: number): void {
    if (lagMs === 0 && !this.isLagging) return;
    this.isLagging = lagMs > 0;
    this.observer.eventsLag(this.writer.key, lagMs);
  }

  private pauseFeed(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.feed.pause();
  }

  private resumeFeed(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.feed.resume();
  }
}

function latestTime(messages: readonly StreamMessage[]): Pick<Batch, 'shownUntil'> {
  let latest: ArmadaTime | undefined;
  for (const { event } of messages) {
    if (event !== undefined && (latest === undefined || event.at > latest)) latest = event.at;
  }
  return latest === undefined ? {} : { shownUntil: latest };
}

/** By two clocks, so that a small one says little; not below 0. */
function ageMs(messages: readonly StreamMessage[], writtenAt: RedisTime): number | undefined {
  const oldest = messages.find(({ event }) => event !== undefined)?.event;
  return oldest === undefined ? undefined : Math.max(0, toMs(writtenAt) - toMs(oldest.at));
}
