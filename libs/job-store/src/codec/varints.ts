import { UnreadableRecordError } from '../errors.js';

/** Appends numbers to a reused buffer, each in as few bytes as it needs (LEB128). */
export class ByteWriter {
  private buffer = Buffer.allocUnsafe(256);
  private length = 0;

  byte(value: number): void {
    if (this.length === this.buffer.length) this.buffer = Buffer.concat([this.buffer, this.buffer]);
    this.buffer[this.length++] = value;
  }

  /** A whole number from 0 to 2^53 - 1. */
  unsigned(value: number): void {
    while (value >= 128) {
      this.byte((value % 128) + 128);
      value = Math.floor(value / 128);
    }
    this.byte(value);
  }

  /** A whole number of either sign, up to 2^52. */
  signed(value: number): void {
    this.unsigned(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** What was written, as a buffer of its own; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.buffer.subarray(0, this.length));
    this.length = 0;
    return taken;
  }
}

/** Reads what {@link ByteWriter} wrote. Reading past the end throws {@link UnreadableRecordError}. */
export class ByteReader {
  private position = 0;

  constructor(private readonly buffer: Buffer) {}

  byte(): number {
    const value = this.buffer[this.position++];
    if (value === undefined) throw new UnreadableRecordError('it ends too early');
    return value;
  }

  get isAtEnd(): boolean {
    return this.position >= this.buffer.length;
  }

  /** A part of the buffer, not a copy. */
  bytes(length: number): Buffer {
    const end = this.position + length;
    if (end > this.buffer.length) throw new UnreadableRecordError('it ends too early');
    const bytes = this.buffer.subarray(this.position, end);
    this.position = end;
    return bytes;
  }

  unsigned(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }

  signed(): number {
    const value = this.unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
