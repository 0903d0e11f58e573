import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { MonotonicTime, addMs, earlierOf } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { status, type Metadata } from '@grpc/grpc-js';
import type { MessageAccount } from '../load/message-budget.js';
import { RpcError } from '../rpc-error.js';
import type { Presented } from './caller-of.js';
import { decompress, mostDecompressed } from './decompress.js';
import { bytesOfAll, bytesOfFew } from './kept-headers.js';
import type { LiveCalls, TimedCall } from './live-calls.js';
import { MessageReader, type ReceivedMessage } from './message-reader.js';
import {
  MESSAGE_HEADERS,
  OK_TRAILERS,
  STATUS_HEADERS,
  framed,
  trailersOf,
  type CallEnd,
  type OkTrailers,
} from './response.js';

/** What a stream costs in memory, with a message of up to {@link SMALL_BYTES}: measured for idle streams. Bytes. */
const STREAM_BYTES = 16 * 1024;
const SMALL_BYTES = 4 * 1024;
/** Larger messages are written in pieces, so that it shows whether the caller reads. Bytes. */
const PIECE_BYTES = 64 * 1024;
/** What a caller may send ahead while a message is worked on. Bytes. */
const READ_AHEAD_BYTES = 64 * 1024;
/** What Node keeps for a frame of a paused stream, whose data may be one byte: twice what was measured. Bytes. */
const FRAME_BYTES = 256;
/** A caller has this long to end its request once it has taken its answer. Milliseconds. */
const LINGER_MS = 1_000;

const WITH_TRAILERS = { waitForTrailers: true };
/** Nothing is expected of the caller. */
const NEVER = MonotonicTime(Infinity);

export interface CallListener {
  onMessage(message: ReceivedMessage): void;
  onHalfClose(): void;
  /** The request cannot be read on: answer the call with this error. */
  onProblem(error: RpcError): void;
  /** The caller has gone, or its deadline has passed. Nothing can be sent any more. */
  onCancel(): void;
}

/** How long a caller may keep a call waiting. Milliseconds. */
export interface CallTimeouts {
  /** For a whole message, from the headers or from its first byte; also for the end of a request that has one message. */
  readonly requestMs: number;
  /** For taking a piece of a response, or its end. */
  readonly responseMs: number;
}

/** What a method lets its callers do. */
export interface CallLimits {
  /** The longest message that may come, decompressed. */
  readonly maxMessageBytes: number;
  readonly timeouts: CallTimeouts;
  /** Whether all headers are kept while the call is open. */
  readonly keepsHeaders: boolean;
  /** Whether a caller that sends faster than its messages are processed is slowed down; else it is rejected. */
  readonly slowsCaller: boolean;
}

export interface GrpcCallOptions {
  readonly caller: Presented;
  readonly limits: CallLimits;
  /** Pays for all that the call holds in memory. */
  readonly account: MessageAccount;
  /** Has its times pass. */
  readonly calls: LiveCalls;
}

/**
 * One gRPC call on one HTTP/2 stream: messages, status, deadline and end. What it holds in memory is paid for from its account, and a
 * caller that neither sends nor reads in time is ended. Nothing is decompressed or decoded unless its owner does it.
 *
 * A stream is paused only where the call has to slow its caller down: Node keeps an object of some hundred bytes for each frame that still
 * comes, and a frame may have one byte. Else what comes early is held as it is, up to a limit.
 */
export class GrpcCall implements TimedCall {
  place = 0;
  readonly began = monotonicNow();
  /** The infinite future where the caller set none. */
  readonly deadline: MonotonicTime;
  private readonly reader: MessageReader;
  /** What the call takes without its messages: the stream, and what is kept of its headers. */
  private readonly ownBytes: number;
  /** Why the call may not be held in memory; it is answered with that, whatever it asks for. */
  private readonly refusal: RpcError | undefined;
  /** Of all headers, which take half a kilobyte, this is what is needed later. */
  private readonly encoding: string | undefined;
  private listener: CallListener | undefined;
  private wantsMessage = false;
  private delivering = false;
  private halfClosed = false;
  private over = false;
  /** Of messages that the owner was given, and works on. */
  private keptBytes = 0;
  private unsentBytes = 0;
  /** Of frames that have come while the stream was paused. */
  private pausedBytes = 0;
  private requestDue = NEVER;
  private responseDue = NEVER;

  /** @param timeoutMs What the caller set; `Infinity` where it set nothing */
  constructor(
    readonly stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    timeoutMs: number,
    private readonly options: GrpcCallOptions,
  ) {
    this.deadline = addMs(this.began, timeoutMs);
    this.reader = new MessageReader(options.limits.maxMessageBytes);
    this.encoding = headers['grpc-encoding'] as string | undefined;
    // Whatever it is answered with, a stream takes memory until it is closed, and its caller may take its time for that.
    const kept = options.limits.keepsHeaders ? bytesOfAll(headers) : bytesOfFew(headers);
    this.ownBytes = STREAM_BYTES + Math.max(0, kept - SMALL_BYTES);
    try {
      options.account.hold(this.ownBytes);
    } catch (error) {
      this.refusal = error as RpcError;
      if (!options.account.holdForRefusal(this.ownBytes)) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    }
    // Not `once`, which would make more of it: each comes once by itself.
    stream.on('aborted', () => this.gone());
    stream.on('close', () => this.closed());
    options.calls.add(this);
  }

  get caller(): Presented {
    return this.options.caller;
  }

  /** The call has ended, or its caller has gone. Node throws where anything is sent on a closed stream, destroyed or not. */
  get isOver(): boolean {
    return this.over || this.stream.closed;
  }

  /** Begins to receive. Throws RESOURCE_EXHAUSTED where there is no memory for the call. */
  start(listener: CallListener): void {
    if (this.refusal !== undefined) throw this.refusal;
    this.listener = listener;
    this.requestDue = addMs(this.began, this.options.limits.timeouts.requestMs);
    if (this.options.limits.slowsCaller) this.watchFrames();
    this.stream.on('data', (chunk: Buffer) => this.received(chunk));
    this.stream.on('end', () => {
      this.halfClosed = true;
      this.deliver();
    });
  }

  /** Has the listener given the next message, or the end of the request. */
  startRead(): void {
    this.wantsMessage = true;
    this.deliver();
  }

  /** The next message, or the end of the request, is to come soon: the call fails where it does not. */
  awaitRequest(): void {
    this.requestDue = addMs(monotonicNow(), this.options.limits.timeouts.requestMs);
  }

  /** The owner keeps this many bytes of messages in memory. Throws RESOURCE_EXHAUSTED where it may not: it has what it kept before. */
  keep(bytes: number): void {
    const before = this.keptBytes;
    this.keptBytes = bytes;
    try {
      this.pay();
    } catch (error) {
      this.keptBytes = before;
      throw error;
    }
  }

  /** The bytes of a message, decompressed: to be kept instead. Rejects with an RpcError where that cannot be, or be held. */
  async decompress(message: Buffer): Promise<Buffer> {
    const { maxMessageBytes } = this.options.limits;
    this.keep(message.length + mostDecompressed(message.length, maxMessageBytes));
    const content = await decompress(message, this.encoding, maxMessageBytes);
    this.keep(content.length);
    return content;
  }

  sendMetadata(metadata?: Metadata): void {
    if (this.isOver || this.stream.headersSent) return;
    this.stream.respond(
      metadata === undefined ? MESSAGE_HEADERS : { ...MESSAGE_HEADERS, ...metadata.toHttp2Headers() },
      WITH_TRAILERS,
    );
  }

  /** `sent` is called when the caller takes the message. Throws RESOURCE_EXHAUSTED where it may not be held until then. */
  sendMessage(message: Uint8Array, sent?: () => void): void {
    if (!this.isOver) this.sendFrames(framed(message), sent);
  }

  /** As {@link sendMessage}, of messages that are framed. They are left as they are. */
  sendFrames(frames: Buffer, sent?: () => void): void {
    if (this.isOver) return;
    this.unsentBytes += frames.length;
    try {
      this.pay();
    } catch (error) {
      this.unsentBytes -= frames.length;
      throw error;
    }
    this.sendMetadata();
    this.write(frames, sent);
  }

  /** Ends the call, once the messages before are sent. */
  sendStatus(end: CallEnd): void {
    if (this.isOver) return;
    this.finish();
    const trailers = trailersOf(end);
    if (this.stream.headersSent) this.endWith(trailers, undefined);
    else this.stream.respond({ ...STATUS_HEADERS, ...trailers }, { endStream: true });
  }

  /** Sends the last message, {@link framed}, and ends the call with OK. Throws as {@link sendMessage} does. */
  sendLast(frame: Buffer, trailers: OkTrailers = OK_TRAILERS): void {
    if (this.isOver) return;
    const isSmall = frame.length <= SMALL_BYTES;
    if (isSmall) this.sendMetadata();
    else this.sendFrames(frame);
    this.finish();
    // With one write and without an account of it: a small message is paid with the stream.
    this.endWith(trailers, isSmall ? frame : undefined);
  }

  /** Ends a call that is not one of gRPC, with a status of HTTP. */
  sendHttpStatus(code: number): void {
    if (this.isOver) return;
    this.finish();
    this.stream.respond({ [constants.HTTP2_HEADER_STATUS]: code }, { endStream: true });
  }

  expire(): void {
    this.sendStatus({ code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' });
    this.listener?.onCancel();
  }

  endIfLate(now: MonotonicTime): void {
    if (now > this.responseDue) {
      // Closing is nothing to a stream that its caller has reset.
      if (this.stream.closed) this.stream.destroy();
      else this.stream.close(constants.NGHTTP2_CANCEL);
    } else if (now > this.requestDue) {
      const seconds = this.options.limits.timeouts.requestMs / 1_000;
      this.fail(new RpcError(status.DEADLINE_EXCEEDED, `the request was not complete within ${seconds} s`));
    } else if (this.over && this.stream.writableFinished) {
      this.responseDue = earlierOf(this.responseDue, addMs(now, LINGER_MS));
    }
  }

  private received(chunk: Buffer): void {
    // A caller may send on although the call is over.
    if (this.isOver) return;
    this.reader.push(chunk);
    try {
      this.limitReadAhead();
      this.pay();
    } catch (error) {
      this.fail(error as RpcError);
      return;
    }
    this.deliver();
  }

  /** What comes for a paused stream is paid for, too. Node has no event for it, but pushes each frame into the stream. */
  private watchFrames(): void {
    const { stream } = this;
    const push = stream.push.bind(stream);
    stream.push = (chunk: Buffer | null) => {
      if (chunk === null || !stream.isPaused()) return push(chunk);
      this.pausedBytes += FRAME_BYTES + chunk.length;
      try {
        this.pay();
      } catch (error) {
        this.fail(error as RpcError);
      }
      // It is a part of what was read from the network, all of which it would keep in memory.
      return push(Buffer.from(chunk));
    };
  }

  private limitReadAhead(): void {
    if (this.wantsMessage) return;
    if (this.options.limits.slowsCaller) this.stream.pause();
    else if (this.reader.unread > READ_AHEAD_BYTES) throw tooFast();
  }

  private deliver(): void {
    // A listener may read on from within its method: this is a loop, since thousands of messages may have come at once.
    if (this.delivering) return;
    this.delivering = true;
    try {
      while (this.wantsMessage && !this.isOver && this.deliverNext());
    } catch (error) {
      this.fail(error as RpcError);
    } finally {
      this.delivering = false;
    }
    if (!this.wantsMessage) return;
    this.pausedBytes = 0;
    this.stream.resume();
    // A message has begun.
    if (!this.reader.isEmpty && this.requestDue === NEVER) this.awaitRequest();
  }

  private deliverNext(): boolean {
    const message = this.reader.next();
    if (message === undefined && !this.halfClosed) return false;
    this.wantsMessage = false;
    this.requestDue = NEVER;
    if (message !== undefined) this.listener?.onMessage(message);
    else if (this.reader.isEmpty) this.listener?.onHalfClose();
    else throw new RpcError(status.INVALID_ARGUMENT, 'the request ends within a message');
    return true;
  }

  private fail(error: RpcError): void {
    if (this.isOver) return;
    this.wantsMessage = false;
    this.requestDue = NEVER;
    this.pausedBytes = 0;
    this.reader.clear();
    this.listener?.onProblem(error);
  }

  private write(frame: Buffer, sent: (() => void) | undefined): void {
    this.awaitReader();
    for (let from = 0; from < frame.length; from += PIECE_BYTES) {
      const piece = frame.subarray(from, from + PIECE_BYTES);
      const isLast = from + PIECE_BYTES >= frame.length;
      this.stream.write(piece, (error) => {
        // The stream closes after that.
        if (error !== null && error !== undefined) return;
        this.unsentBytes -= piece.length;
        if (this.unsentBytes > 0 || this.over) this.awaitReader();
        else this.responseDue = NEVER;
        if (!isLast) return;
        this.pay();
        sent?.();
      });
    }
  }

  private awaitReader(): void {
    this.responseDue = addMs(monotonicNow(), this.options.limits.timeouts.responseMs);
  }

  /** Throws RESOURCE_EXHAUSTED where the call may not hold what it holds now. */
  private pay(): void {
    const bytes = this.reader.held + this.keptBytes + this.unsentBytes + this.pausedBytes;
    const { account } = this.options;
    // A small message is paid with the stream: so the answer to a call that may hold nothing can always be sent.
    account.hold(bytes > SMALL_BYTES ? this.ownBytes + bytes : Math.min(this.ownBytes, account.bytes));
  }

  /** Node destroys a stream that was reset without an error only once all that came is read, and all is written. */
  private gone(): void {
    if (this.over) return;
    this.finish();
    this.stream.destroy();
    this.listener?.onCancel();
  }

  private closed(): void {
    this.gone();
    this.responseDue = NEVER;
    this.options.account.close();
    this.options.calls.delete(this);
    // Node's map of streams may keep this one from V8's young collections (docs/performance.md, Young objects in old sets): without the call.
    this.stream.removeAllListeners();
  }

  private finish(): void {
    this.over = true;
    this.requestDue = NEVER;
    this.reader.clear();
    if (this.stream.destroyed) return;
    this.awaitReader();
    // Whatever else the caller sends is of no use; one that never ends its request would hold the stream.
    this.stream.resume();
  }

  private endWith(trailers: OutgoingHttpHeaders, frame: Buffer | undefined): void {
    this.stream.on('wantTrailers', () => this.stream.sendTrailers(trailers));
    this.stream.end(frame);
  }
}

function tooFast(): RpcError {
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    'the call sends messages faster than they are processed; send the next one when the last one has been answered',
  );
}
