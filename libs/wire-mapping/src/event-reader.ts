import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

const NOTHING = new Uint8Array();
/** A varint of five bytes holds 35 bits. */
const LONGEST_UINT32 = 5;
const LAST_BYTE_OF_UINT32 = 0x0f;

/**
 * Reads for a generated decoder what its own reader does, with less garbage: this happens several times for each event. The bytes of a text
 * are not copied into an array first, those that are skipped are not returned, and numbers of 64 bits that need no more than 32 are no
 * bigints.
 */
export class EventReader extends BinaryReader {
  private readonly text: Buffer;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.text = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  override string(): string {
    const length = this.uint32();
    const from = this.pos;
    this.pass(length);
    return this.text.toString('utf8', from, this.pos);
  }

  override skip(wireType: WireType, fieldNo?: number): Uint8Array {
    if (wireType !== WireType.LengthDelimited) return super.skip(wireType, fieldNo);
    this.pass(this.uint32());
    return NOTHING;
  }

  override int64(): bigint | string {
    const from = this.pos;
    const value = this.uint32();
    const length = this.pos - from;
    // Of more than 32 bits this is but the last 32.
    const isWhole = length < LONGEST_UINT32 || (length === LONGEST_UINT32 && this.isSmall(this.pos - 1));
    if (isWhole) return `${value}`;
    this.pos = from;
    return super.int64();
  }

  private isSmall(at: number): boolean {
    return (this.text[at] ?? 0) <= LAST_BYTE_OF_UINT32;
  }

  private pass(length: number): void {
    this.pos += length;
    if (this.pos > this.len) throw new RangeError('premature EOF');
  }
}
