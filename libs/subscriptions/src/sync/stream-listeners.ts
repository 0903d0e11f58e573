import { MonotonicTime, type StreamMessage, type Cursor } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import type { BatchWriter } from './batch-writer.js';
import type { StreamEnd, StreamListener } from './event-source.js';
import type { ReadPurpose, WatchProgress } from './reflector-state.js';

/** Whoever opened the streams of a job set. Not called for a stream that it closed itself. */
export interface StreamOwner {
  /** A read delivered its first message. */
  readProgressed(): void;
  readEnded(read: ReadListener, end: StreamEnd): void;
  watchEnded(end: StreamEnd): void;
}

/** Hands what a read to the end delivers to the batch writer. */
export class ReadListener implements StreamListener {
  private readonly tailBefore: string;
  private hasProgressed = false;

  constructor(
    readonly purpose: ReadPurpose,
    private readonly batchWriter: BatchWriter,
    private readonly owner: StreamOwner,
  ) {
    this.tailBefore = batchWriter.tailCursor;
  }

  message(message: StreamMessage): void {
    if (!this.hasProgressed) this.owner.readProgressed();
    this.hasProgressed = true;
    this.batchWriter.accept(message);
  }

  end(end: StreamEnd): void {
    if (end.kind !== 'cancelled') this.owner.readEnded(this, end);
  }

  /** Whether the batch writer was given something new since this read was opened, by it or by a watch. */
  get hasNews(): boolean {
    return this.batchWriter.tailCursor !== this.tailBefore;
  }
}

/** Hands what a watch delivers to the batch writer. */
export class WatchListener implements StreamListener {
  readonly openedAt = monotonicNow();
  private lastMessageAt = MonotonicTime(-Infinity);
  private lastCursor: Cursor;

  constructor(
    private readonly batchWriter: BatchWriter,
    private readonly owner: StreamOwner,
  ) {
    this.lastCursor = batchWriter.tailCursor;
  }

  message(message: StreamMessage): void {
    this.lastMessageAt = monotonicNow();
    this.lastCursor = message.cursor;
    this.batchWriter.accept(message);
  }

  end(end: StreamEnd): void {
    if (end.kind !== 'cancelled') this.owner.watchEnded(end);
  }

  get progress(): WatchProgress {
    return {
      lastMessageAt: this.lastMessageAt,
      isCaughtUp: this.lastCursor === this.batchWriter.tailCursor,
    };
  }
}
