/** The fields of a message by number: their wire types, or what the messages in them hold. */
export interface GogoMessage {
  readonly [field: number]: number | GogoMessage;
}

const [VARINT, BITS_64, LENGTH, START_GROUP, END_GROUP, BITS_32] = [0, 1, 2, 3, 4, 5];

/**
 * Writes a message anew as gogo, which Armada's servers decode with, reads it: so that a decoder that differs from gogo in the odd
 * cases reads the same. Throws where gogo does. What gogo does was recorded from the code that its version 1.3.2 generates.
 */
export function asGogoReads(bytes: Buffer, message: GogoMessage): Buffer {
  const input = new Input(bytes);
  const fields: Buffer[] = [];
  while (!input.isAtEnd) {
    const begin = input.at;
    const tag = input.varint();
    const [field, wireType] = [Number(BigInt.asIntN(32, tag >> 3n)), Number(tag & 7n)];
    if (wireType === END_GROUP) throw new Error('proto: wiretype end group for non-group');
    if (field <= 0) throw new Error(`proto: illegal tag ${field}`);
    const known = message[field];
    if (known === undefined) {
      input.at = begin;
      input.skip();
      continue;
    }
    const isMessage = typeof known === 'object';
    if (wireType !== (isMessage ? LENGTH : known)) throw new Error(`proto: wrong wireType = ${wireType}`);
    const value = input.value(wireType);
    const written = isMessage ? asGogoReads(value, known) : value;
    fields.push(toVarint(BigInt(field * 8 + wireType)));
    if (wireType === LENGTH) fields.push(toVarint(BigInt(written.length)));
    fields.push(written);
  }
  return Buffer.concat(fields);
}

class Input {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Longer ones than need be are read, and bits beyond the 64th dropped. */
  varint(): bigint {
    let number = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const [byte = 0] = this.take(1);
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, number);
    }
    throw new Error('proto: integer overflow');
  }

  value(wireType: number): Buffer {
    switch (wireType) {
      case VARINT:
        return toVarint(this.varint());
      case BITS_64:
        return this.take(8);
      case BITS_32:
        return this.take(4);
      case LENGTH:
        return this.take(Number(BigInt.asIntN(64, this.varint())));
      default:
        throw new Error(`proto: illegal wireType ${wireType}`);
    }
  }

  /** An unknown field. The end of a group need not be that of the group which began. */
  skip(): void {
    let depth = 0;
    do {
      const wireType = Number(this.varint() & 7n);
      if (wireType === START_GROUP) depth++;
      else if (wireType === END_GROUP) depth--;
      else this.value(wireType);
    } while (depth > 0);
  }

  private take(length: number): Buffer {
    if (length < 0 || length > this.bytes.length - this.at) throw new Error('unexpected EOF');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

function toVarint(number: bigint): Buffer {
  const bytes: number[] = [];
  for (; number >= 0x80n; number >>= 7n) bytes.push(Number(number & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(number)]);
}

/** api.JobSetRequest */
export const JOB_SET_REQUEST: GogoMessage = {
  1: LENGTH,
  2: VARINT,
  3: LENGTH,
  4: LENGTH,
  5: VARINT,
};
/** api.WatchRequest */
export const WATCH_REQUEST: GogoMessage = { 1: LENGTH, 2: LENGTH, 3: LENGTH };

/** The code for a map's entries checks no wire types. No hostile message of ours depends on it. */
const MAP_ENTRY: GogoMessage = { 1: LENGTH, 2: LENGTH };

/** api.JobSubmitRequest; what pods and the like hold is left as it is. */
export const JOB_SUBMIT_REQUEST: GogoMessage = {
  1: LENGTH,
  2: LENGTH,
  3: {
    1: BITS_64,
    2: LENGTH,
    3: LENGTH,
    4: MAP_ENTRY,
    5: MAP_ENTRY,
    6: MAP_ENTRY,
    7: LENGTH,
    8: LENGTH,
    9: LENGTH,
    10: LENGTH,
    11: LENGTH,
    13: LENGTH,
  },
};
