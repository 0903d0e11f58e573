import { monotonicNow } from '@ajs/platform';
import {
  MonotonicTime,
  laterOf,
  addMs,
  compareMessageIds,
  foldBatch,
  parseMessageId,
  repair,
  type JobEnd,
  type JobRecord,
  type MessageId,
  type StreamMessage,
} from '@ajs/job-state';
import { StaleWriterError, type JobSetWriter, type SubscriptionReport } from '@ajs/job-store';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.js';
import type { ReflectorObserver } from './reflector-observer.js';
import type { Lease } from './lease.js';

/** Messages written at once. Larger batches are not faster, and hold Redis for longer. */
const BATCH = 500;
/** Reading stops when so many messages wait to be written, and goes on when fewer than the second wait. */
const TOO_MANY = 2_000;
const FEW_ENOUGH = 500;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;
/** Before any moment there was. */
const NEVER = MonotonicTime(-Infinity);

export interface BatchWriterOptions {
  readonly writer: JobSetWriter;
  readonly lease: Lease;
  readonly observer: ReflectorObserver;
  /** Asks the streams to stop (`true`) or go on delivering. */
  readonly hold: (held: boolean) => void;
  /** Called once when nothing more can be written: somebody else follows the job set, or the lease is lost. */
  readonly failed: (error: Error) => void;
}

/**
 * What stands between the streams of one job set and its writer: takes messages in any overlap, keeps one order, writes
 * them in batches as fast as Redis takes them and no faster, not at all while the lease is not held, and says the job set is level only once that is in Redis.
 */
export class BatchWriter {
  private readonly backoff = new Backoff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
  private readonly stopping = new AbortController();
  private queue: StreamMessage[] = [];
  private tail: MessageId | undefined;
  private accepted = 0;
  private applied = 0;
  /** When Armada had the last message, as far as its clock and ours agree. */
  private lastMessageAt = NEVER;
  private reportedSyncedAt = NEVER;
  private held = false;
  private level: { readonly after: number; readonly at: MonotonicTime } | undefined;
  private wasLevel = false;
  private state: SubscriptionReport['state'] = 'connecting';
  private reason = '';
  private nextReadAt: MonotonicTime | undefined;
  private due = false;
  private repairs: Repairs | undefined;
  private isReconciled = false;
  private draining = false;
  private drained = Promise.resolve();

  constructor(private readonly options: BatchWriterOptions) {
    this.tailCursor = options.writer.cursor;
    this.tail = parseMessageId(options.writer.cursor);
  }

  /** The last message taken, written or not: where the next stream starts. */
  tailCursor: string;

  get unfinished(): number {
    return this.options.writer.unfinished;
  }

  /** Whether it writes nothing more. */
  get isOver(): boolean {
    return this.stopping.signal.aborted;
  }

  /** Takes a message, unless it was taken before. */
  accept(message: StreamMessage): void {
    if (this.tail !== undefined && compareMessageIds(message.id, this.tail) <= 0) return;
    this.tail = message.id;
    this.tailCursor = message.cursor;
    this.accepted++;
    this.lastMessageAt = addMs(monotonicNow(), -Math.max(0, Date.now() - message.id.ms));
    this.queue.push(message);
    if (this.queue.length >= TOO_MANY) this.setHeld(true);
    this.pump();
  }

  /** All that Armada had at `at` has been taken: the job set is level once it is written. */
  syncedAt(at: MonotonicTime): void {
    this.level = { after: this.accepted, at };
    this.heartbeat();
  }

  /** What every write says of the subscription from now on. */
  report(state: SubscriptionReport['state'], reason: string, nextReadAt?: MonotonicTime): void {
    if (state === this.state && reason === this.reason && nextReadAt === this.nextReadAt) return;
    this.nextReadAt = nextReadAt;
    this.state = state;
    this.reason = reason;
    this.heartbeat();
  }

  /** Writes a sign of life, with the next batch or without one. */
  heartbeat(): void {
    this.due = true;
    this.pump();
  }

  /**
   * Gives jobs the end that Armada's own `api.Jobs` told, in one order with the stream, as if it had shown it. One call at a time.
   * Resolves, when they are in Redis, to the jobs that had not ended before; to none where nothing is written any more.
   */
  repair(ends: ReadonlyMap<string, JobEnd>): Promise<readonly string[]> {
    return new Promise((done) => {
      const { signal } = this.stopping;
      if (signal.aborted) {
        done([]);
        return;
      }
      signal.addEventListener('abort', () => done([]), { once: true });
      this.repairs = { ends, done };
      this.heartbeat();
    });
  }

  /** The next write says that the job set has just been compared with Armada's own `api.Jobs`. */
  reconciled(): void {
    this.isReconciled = true;
    this.heartbeat();
  }

  /** Writes what was taken, and then nothing more. */
  async close(): Promise<void> {
    await this.drained;
    this.stopping.abort();
  }

  /** Writes nothing more. */
  abort(): void {
    this.stopping.abort();
  }

  private pump(): void {
    if (this.draining || this.stopping.signal.aborted) return;
    this.draining = true;
    this.drained = this.drain().catch((error: unknown) => {
      this.stopping.abort();
      this.options.failed(error instanceof Error ? error : new Error(String(error)));
    });
  }

  private async drain(): Promise<void> {
    // What arrives within one turn of the event loop is written together.
    await Promise.resolve();
    try {
      while (!this.stopping.signal.aborted && (this.queue.length > 0 || this.due)) {
        const messages = this.queue.slice(0, BATCH);
        this.due = false;
        await this.write(messages);
        this.queue.splice(0, messages.length);
        if (this.queue.length <= FEW_ENOUGH) this.setHeld(false);
      }
    } finally {
      // In one step with the last look at the queue: what comes later pumps again.
      this.draining = false;
    }
  }

  private async write(messages: readonly StreamMessage[]): Promise<void> {
    const { writer, lease, observer } = this.options;
    const marker = this.level;
    const level = this.levelWith(messages.length);
    const { repairs, isReconciled } = this;
    const jobIds = jobIdsOf(messages, repairs?.ends);
    let repaired: string[] = [];
    let stale: StaleWriterError | undefined;
    for (;;) {
      if (!lease.isHeld()) {
        this.setHeld(true);
        await lease.whenHeld();
      }
      try {
        // Somebody else wrote: something learned leaves the job set where it stood, and the same batch is folded again.
        if (stale !== undefined && !(await writer.reload())) throw stale;
        stale = undefined;
        const known = await writer.load(jobIds);
        const records = foldBatch(known, messages);
        repaired = repairAll(known, records, repairs?.ends);
        await writer.write({
          cursor: messages.at(-1)?.cursor ?? writer.cursor,
          records,
          subscription: {
            state:
              this.state === 'live' && !this.wasLevel && level === undefined ? 'catching-up' : this.state,
            reason: this.reason,
            ...(level !== undefined && { syncedAt: level }),
            ...(this.nextReadAt !== undefined && { nextReadAt: this.nextReadAt }),
          },
          ...(isReconciled && { reconciled: true }),
        });
        break;
      } catch (error) {
        if (error instanceof StaleWriterError) {
          if (error === stale) throw error;
          stale = error;
          observer.reloading(writer.key);
          continue;
        }
        observer.writeFailed(writer.key, error as Error);
        // What waits in memory while nothing can be written is what has been read already.
        this.setHeld(true);
        await sleep(this.backoff.next(), undefined, { signal: this.stopping.signal });
      }
    }
    this.backoff.reset();
    this.applied += messages.length;
    if (level !== undefined) {
      this.wasLevel = true;
      this.reportedSyncedAt = level;
    }
    // Only what this write told is told: another moment may have been learned meanwhile.
    if (marker !== undefined && marker.after <= this.applied && this.level === marker) this.level = undefined;
    if (isReconciled) this.isReconciled = false;
    if (repairs !== undefined && this.repairs === repairs) this.repairs = undefined;
    repairs?.done(repaired);
    if (messages.length > 0) observer.applied(messages.length);
  }

  /** The moment the job set is level with once these messages are written, if it is then. */
  private levelWith(messages: number): MonotonicTime | undefined {
    let syncedAt = NEVER;
    // An event of a live watch is a sign that the watch brings what there was until then: it may come late, and others after it.
    if (messages > 0 && messages === this.queue.length && this.state === 'live' && this.wasLevel) {
      syncedAt = this.lastMessageAt;
    }
    if (this.level !== undefined && this.level.after <= this.applied + messages) {
      syncedAt = laterOf(syncedAt, this.level.at);
    }
    return syncedAt > this.reportedSyncedAt ? syncedAt : undefined;
  }

  private setHeld(held: boolean): void {
    if (held === this.held) return;
    this.held = held;
    this.options.hold(held);
  }
}

interface Repairs {
  readonly ends: ReadonlyMap<string, JobEnd>;
  readonly done: (repaired: readonly string[]) => void;
}

/** Adds the records that these ends change to those that have changed already, and gives their jobs. */
function repairAll(
  known: ReadonlyMap<string, JobRecord>,
  changed: Map<string, JobRecord>,
  ends: Repairs['ends'] = new Map(),
): string[] {
  const repaired: string[] = [];
  for (const [jobId, end] of ends) {
    const before = changed.get(jobId) ?? known.get(jobId);
    const after = before && repair(before, end);
    if (after === undefined || after === before) continue;
    changed.set(jobId, after);
    repaired.push(jobId);
  }
  return repaired;
}

function jobIdsOf(messages: readonly StreamMessage[], ends: Repairs['ends'] = new Map()): Set<string> {
  const jobIds = new Set(ends.keys());
  for (const { event } of messages) if (event !== undefined) jobIds.add(event.jobId);
  return jobIds;
}
