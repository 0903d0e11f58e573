import { UnreadableRecordError } from '../errors.js';

const MAX_INT32 = 0x7fff_ffff;

/** Appends to a buffer that grows: numbers, each in as few bytes as it needs (LEB128), and what others write. */
export class ByteWriter {
  private buffer: Buffer;
  private length = 0;

  constructor(expectedBytes = 256) {
    this.buffer = Buffer.allocUnsafe(expectedBytes);
  }

  byte(value: number): void {
    if (this.length === this.buffer.length) this.reserve(1);
    this.buffer[this.length++] = value;
  }

  /** A whole number from 0 to 2^53 - 1. */
  unsigned(value: number): void {
    let high = value;
    for (; high > MAX_INT32; high = Math.floor(high / 128)) this.byte((high % 128) + 128);
    // What has no more bits than this is shifted, which takes a fraction of a division.
    let low = high;
    for (; low >= 128; low >>= 7) this.byte((low & 127) | 128);
    this.byte(low);
  }

  /** A whole number of either sign, up to 2^52. */
  signed(value: number): void {
    this.unsigned(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** What `write` makes of something at a place, which has room for so many bytes. It returns how many it wrote. */
  fill<T>(most: number, write: (buffer: Buffer, at: number, what: T) => number, what: T): void {
    this.reserve(most);
    this.length += write(this.buffer, this.length, what);
  }

  /** What is written from here on is to stand behind its length in so many bytes. Returns what {@link endSized} is to be given. */
  beginSized(bytesOfLength: number): number {
    this.reserve(bytesOfLength);
    this.length += bytesOfLength;
    return this.length;
  }

  /** Throws where what was written since is longer than its length can say. */
  endSized(begunAt: number, bytesOfLength: number): void {
    this.buffer.writeUIntBE(this.length - begunAt, begunAt - bytesOfLength, bytesOfLength);
  }

  /** What was written, until more is. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** What was written, as a buffer of its own; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes);
    this.length = 0;
    return taken;
  }

  private reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.buffer.length));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

/** Reads what {@link ByteWriter} wrote. Reading past the end throws {@link UnreadableRecordError}. */
export class ByteReader {
  private position = 0;

  private constructor(
    private readonly buffer: Buffer,
    /** Nothing from here on is read. */
    private end: number,
  ) {}

  static of(buffer: Buffer): ByteReader {
    return new ByteReader(buffer, buffer.length);
  }

  /** Of parts, each behind its length in two bytes: reads nothing before {@link nextPart}. */
  static ofParts(buffer: Buffer): ByteReader {
    return new ByteReader(buffer, 0);
  }

  /** Goes on with the part behind this one, however far this one was read. Returns its length. */
  nextPart(): number {
    this.position = this.end + 2;
    this.end = this.position + this.buffer.readUInt16BE(this.end);
    return this.end - this.position;
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  byte(): number {
    const value = this.buffer[this.position];
    if (value === undefined || this.isAtEnd) throw endsTooEarly();
    this.position++;
    return value;
  }

  /** A part of the buffer, not a copy. */
  bytes(length: number): Buffer {
    const end = this.position + length;
    if (end > this.end) throw endsTooEarly();
    const bytes = this.buffer.subarray(this.position, end);
    this.position = end;
    return bytes;
  }

  unsigned(): number {
    // Without `byte`: of the first thousands of records, which V8 has not compiled the code for yet, calls cost the most.
    const { buffer, end } = this;
    let value = 0;
    for (let at = this.position, scale = 1; at < end; at++, scale *= 128) {
      const byte = buffer[at] ?? 0;
      if (byte < 128) {
        this.position = at + 1;
        return value + byte * scale;
      }
      value += (byte - 128) * scale;
    }
    throw endsTooEarly();
  }

  signed(): number {
    const value = this.unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

function endsTooEarly(): UnreadableRecordError {
  return new UnreadableRecordError('it ends too early');
}
