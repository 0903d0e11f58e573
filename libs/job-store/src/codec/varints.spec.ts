import fc from 'fast-check';
import { UnreadableRecordError } from '../errors.js';
import { ByteReader, ByteWriter } from './varints.js';

const BOUNDS = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1];

describe('numbers in as few bytes as they need', () => {
  it('are read as they were written, in a writer that is as large as it must be at first', () => {
    const numbers = fc.oneof(fc.constantFrom(...BOUNDS), fc.maxSafeNat());
    const signed = fc.oneof(
      fc.constantFrom(0, -1, 1, -64, 64, 2 ** 52, -(2 ** 52)),
      fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
    );
    fc.assert(
      fc.property(fc.array(numbers), fc.array(signed), fc.nat(20), (some, others, expectedBytes) => {
        const writer = new ByteWriter(expectedBytes);
        for (const number of some) writer.unsigned(number);
        for (const number of others) writer.signed(number);
        const reader = ByteReader.of(writer.take());
        expect(some.map(() => reader.unsigned())).toEqual(some);
        expect(others.map(() => reader.signed())).toEqual(others);
        expect(reader.isAtEnd).toBe(true);
      }),
    );
  });

  it.each([
    [127, 1],
    [128, 2],
    [16_383, 2],
    [16_384, 3],
    [2 ** 53 - 1, 8],
  ])('take %i: %i bytes', (number, bytes) => {
    const writer = new ByteWriter();
    writer.unsigned(number);
    expect(writer.bytes).toHaveLength(bytes);
  });
});

describe('parts behind their lengths', () => {
  const parts = Buffer.of(0, 2, 0x61, 0x80, 0, 0, 0, 1, 5);

  it('are read one after the other, however far the one before was read', () => {
    const reader = ByteReader.ofParts(parts);
    expect([reader.nextPart(), reader.bytes(2), reader.isAtEnd]).toEqual([2, Buffer.of(0x61, 0x80), true]);
    expect([reader.nextPart(), reader.isAtEnd]).toEqual([0, true]);
    expect([reader.nextPart(), reader.unsigned()]).toEqual([1, 5]);
    const again = ByteReader.ofParts(parts);
    expect([again.nextPart(), again.nextPart(), again.nextPart(), again.byte()]).toEqual([2, 0, 1, 5]);
  });

  it.each<[string, (reader: ByteReader) => unknown]>([
    ['a byte', (reader) => [reader.byte(), reader.byte(), reader.byte()]],
    ['bytes', (reader) => reader.bytes(3)],
    ['a number that goes on', (reader) => [reader.byte(), reader.unsigned()]],
  ])('end where they end: %s of the next one cannot be read', (_, read) => {
    const reader = ByteReader.ofParts(parts);
    reader.nextPart();
    expect(() => read(reader)).toThrow(UnreadableRecordError);
  });

  it('are written with their lengths, and not where they are longer than these can say', () => {
    const writer = new ByteWriter(1);
    const fillWith7 = (buffer: Buffer, at: number, length: number): number => {
      buffer.fill(7, at, at + length);
      return length;
    };
    const write = (length: number): void => {
      const begun = writer.beginSized(2);
      writer.fill(length, fillWith7, length);
      writer.endSized(begun, 2);
    };
    write(3);
    expect(writer.take()).toEqual(Buffer.of(0, 3, 7, 7, 7));
    write(65_535);
    const reader = ByteReader.ofParts(writer.take());
    expect(reader.nextPart()).toBe(65_535);
    expect(() => write(65_536)).toThrow('out of range');
  });

  it('that were taken stay as they were when more is written', () => {
    const writer = new ByteWriter();
    writer.byte(1);
    const taken = writer.take();
    writer.byte(2);
    expect([taken, writer.bytes]).toEqual([Buffer.of(1), Buffer.of(2)]);
  });
});
