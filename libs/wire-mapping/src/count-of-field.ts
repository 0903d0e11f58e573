import { BinaryReader } from '@bufbuild/protobuf/wire';

/**
 * How often a field occurs in an encoded message: the length of the list that decoding makes of a repeated field of strings. Builds
 * nothing. Throws where the bytes are no message.
 */
export function countOfField(message: Uint8Array, field: number): number {
  const reader = new BinaryReader(message);
  let count = 0;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === field) count++;
    reader.skip(wireType, number);
  }
  return count;
}
