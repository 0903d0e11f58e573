import { MessageTooLongError } from '../rpc-error.js';

/** A message as it came. */
export interface ReceivedMessage {
  readonly isCompressed: boolean;
  readonly bytes: Buffer;
}

/** gRPC's prefix of a message: one byte that says whether it is compressed, and four for its length. */
const PREFIX_BYTES = 5;
const EMPTY: Buffer = Buffer.alloc(0);

/** Takes messages, one at a time, from the bytes of a stream. Holds what has not been taken, without any overhead. */
export class MessageReader {
  private bytes = EMPTY;
  private start = 0;
  private end = 0;

  /** @param maxBytes Longer messages are rejected as soon as their prefix is here */
  constructor(private readonly maxBytes: number) {}

  /** Bytes that have come and have not been taken. */
  get unread(): number {
    return this.end - this.start;
  }

  /** Bytes of memory that they take. */
  get held(): number {
    return this.bytes.length;
  }

  get isEmpty(): boolean {
    return this.unread === 0;
  }

  push(chunk: Buffer): void {
    if (this.isEmpty) {
      // Nearly always this is one whole message, which needs no copy.
      this.bytes = this.isWhole(chunk) ? chunk : Buffer.from(chunk);
      this.start = 0;
      this.end = chunk.length;
      return;
    }
    // A chunk is a small part of what was read from the network, all of which it keeps in memory: so it is copied.
    const length = this.unread;
    if (this.end + chunk.length > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(this.roomFor(length + chunk.length));
      this.bytes.copy(grown, 0, this.start, this.end);
      this.bytes = grown;
      this.start = 0;
      this.end = length;
    }
    chunk.copy(this.bytes, this.end);
    this.end += chunk.length;
  }

  /** The next message; `undefined` where it is incomplete. Throws MessageTooLongError where it is too long. */
  next(): ReceivedMessage | undefined {
    const length = this.unread;
    if (length < PREFIX_BYTES) return undefined;
    const size = this.bytes.readUInt32BE(this.start + 1);
    if (size > this.maxBytes) {
      throw new MessageTooLongError(
        `the message has ${size} bytes; this method accepts at most ${this.maxBytes}`,
      );
    }
    if (length < PREFIX_BYTES + size) return undefined;
    const begin = this.start + PREFIX_BYTES;
    const message = {
      isCompressed: this.bytes[this.start] !== 0,
      bytes: this.bytes.subarray(begin, begin + size),
    };
    this.start = begin + size;
    if (this.isEmpty) this.clear();
    return message;
  }

  clear(): void {
    this.bytes = EMPTY;
    this.start = this.end = 0;
  }

  /** Twice of what is needed, so that bytes are copied few times; no more than the message has, which is nothing but a claim. */
  private roomFor(bytes: number): number {
    if (this.unread < PREFIX_BYTES) return 2 * bytes;
    return Math.max(bytes, Math.min(2 * bytes, PREFIX_BYTES + this.bytes.readUInt32BE(this.start + 1)));
  }

  private isWhole(chunk: Buffer): boolean {
    return chunk.length >= PREFIX_BYTES && chunk.length === PREFIX_BYTES + chunk.readUInt32BE(1);
  }
}
