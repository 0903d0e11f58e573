import type { JobSetKey, StreamMessage, Cursor } from '@ajs/job-state';

/**
 * How a stream ended, said once for every reader:
 * - `end`: a read without watch came to the end of what exists. For a watch: the server closed it; follow again now.
 * - `retry`: the server stops or moves (UNAVAILABLE and the like) or could not be reached: follow again, backing off.
 * - `denied`: our identity may not watch this queue.
 * - `gone`: the queue does not exist, as far as this server knows; servers learn of new queues up to 10 s late.
 * - `unreadable`: the next message cannot be read, since it is too long or no message.
 * - `cancelled`: we closed it.
 */
export interface StreamEnd {
  readonly kind: 'end' | 'retry' | 'denied' | 'gone' | 'unreadable' | 'cancelled';
  /** For people: what the server or the connection said. Holds no secret. */
  readonly reason: string;
}

export interface StreamRequest {
  readonly key: JobSetKey;
  /** The stream starts after this message id; '' is the beginning. */
  readonly from: Cursor;
  /** Stay open for what comes, or end where the stream ends now. */
  readonly watch: boolean;
  /**
   * What cannot be read before the first message that can is skipped, and handed to this with the reason; longer messages than else are
   * read. Left out: what cannot be read ends the stream.
   */
  readonly skipUnreadable?: (reason: string) => void;
}

export interface StreamListener {
  message(message: StreamMessage): void;
  /** Called exactly once; nothing is called after it. */
  end(end: StreamEnd): void;
}

/** One open stream. */
export interface EventStream {
  /** Stops reading from the connection, so that the server waits; messages already read may still be delivered. */
  pause(): void;
  resume(): void;
  /** Ends the stream; its listener hears `cancelled`, unless it had ended before. */
  cancel(): void;
}

/** Where job-set events come from: Armada, or a test. */
export interface EventSource {
  /** Calls the listener only after it has returned. */
  open(request: StreamRequest, listener: StreamListener): EventStream;
}
