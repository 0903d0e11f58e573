import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { EventReader } from './event-reader.js';

/** What a reader does with these bytes: what it reads and how far it comes, or that it refuses. */
function outcome(reader: BinaryReader, read: (reader: BinaryReader) => unknown): unknown {
  try {
    const value = read(reader);
    return [typeof value === 'bigint' ? `${value}` : value, reader.pos];
  } catch {
    return 'refused';
  }
}

const behindLength = (bytes: Uint8Array): Uint8Array => new BinaryWriter().bytes(bytes).finish();

describe('a reader of events', () => {
  it.each([
    ['no text', ''],
    ['a short one', '01m85vnck01jqpr3vd0abcdefg'],
    ['a longer one', 'armada-01m85vnck01jqpr3vd0abcdefg-0'],
    ['one with other letters', 'ünïcode, 漢字 and 🚢'],
    ['one that begins with a byte order mark', '\ufeffa'],
  ])('reads %s', (_, text) => {
    const bytes = new BinaryWriter().string(text).string('next').finish();
    const reader = new EventReader(bytes);
    expect([reader.string(), reader.string(), reader.pos]).toEqual([text, 'next', bytes.length]);
  });

  it.each([
    ['bytes that are no UTF-8', Buffer.of(0x61, 0xff, 0xfe, 0x62)],
    ['a character that is cut off', Buffer.of(0x61, 0xe6, 0xbc)],
    ['a surrogate', Buffer.of(0xed, 0xa0, 0x80)],
  ])('reads %s as every reader does', (_, text) => {
    const bytes = behindLength(text);
    expect(new EventReader(bytes).string()).toBe(new BinaryReader(bytes).string());
  });

  it('reads from bytes that are a part of others', () => {
    const bytes = Buffer.concat([
      Buffer.from('before'),
      behindLength(Buffer.from('text')),
      Buffer.from('behind'),
    ]);
    expect(new EventReader(bytes.subarray(6, 11)).string()).toBe('text');
    expect(new EventReader(new Uint8Array(bytes.buffer, bytes.byteOffset + 6, 5)).string()).toBe('text');
  });

  const MOST = 2n ** 63n - 1n;
  it.each([
    0n,
    1n,
    127n,
    128n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 35n,
    2n ** 53n + 1n,
    MOST,
    -1n,
    -MOST,
  ])('reads the number %s of 64 bits', (number) => {
    const bytes = new BinaryWriter().int64(number).int32(7).finish();
    const reader = new EventReader(bytes);
    expect([reader.int64().toString(), reader.int32()]).toEqual([`${number}`, 7]);
  });

  it.each([
    ['a number with more bytes than it needs', Buffer.of(0x81, 0x80, 0x80, 0x80, 0x80, 0x00)],
    ['one of 35 bits', Buffer.of(0x80, 0x80, 0x80, 0x80, 0x10)],
    ['one that never ends', Buffer.alloc(11, 0x80)],
    ['one that is cut off', Buffer.of(0x80)],
  ])('reads %s as every reader does', (_, bytes) => {
    const read = (reader: BinaryReader): unknown => reader.int64();
    expect(outcome(new EventReader(bytes), read)).toEqual(outcome(new BinaryReader(bytes), read));
  });

  it.each([
    ['a number', WireType.Varint, Buffer.of(0x80, 0x01)],
    ['eight bytes', WireType.Bit64, Buffer.alloc(8)],
    ['four bytes', WireType.Bit32, Buffer.alloc(4)],
    ['a text', WireType.LengthDelimited, behindLength(Buffer.from('text'))],
    ['a text that is cut off', WireType.LengthDelimited, Buffer.of(2, 0x61)],
    ['a text whose length is cut off', WireType.LengthDelimited, Buffer.of(0x80)],
    ['what has no wire type', 7, Buffer.of(0)],
  ])('skips %s as every reader does, or refuses it', (_, wireType, bytes) => {
    const skip = (reader: BinaryReader): unknown => void reader.skip(wireType);
    expect(outcome(new EventReader(bytes), skip)).toEqual(outcome(new BinaryReader(bytes), skip));
  });
});
