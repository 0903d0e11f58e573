import { descriptorSet } from '@ajs/contracts';
import {
  ScalarType,
  createFileRegistry,
  fromBinary,
  type DescField,
  type DescMessage,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/**
 * What the bytes of a message are to a service that reads them on their way to another one.
 * - `canonical`: every decoder of protobuf reads the same, and all of it is known here.
 * - `extended`: every decoder reads the same, but there are fields that this version does not know: the sender is newer.
 * - `ambiguous`: decoders differ in what they read, or some reject it; no known client sends this. Or it is not looked through, since it
 *   has more than {@link MAX_FIELDS} fields.
 *
 * `problem` is a clause for people.
 */
export type Reading<T> =
  | { readonly kind: 'canonical'; readonly message: T }
  | { readonly kind: 'extended'; readonly message: T; readonly problem: string }
  | { readonly kind: 'ambiguous'; readonly problem: string };

/**
 * Reads messages of one type only as far as all decoders agree on them: see ADR 28 for how they differ. Messages whose contents our
 * contracts leave out (`bytes`) are not looked into.
 */
export class StrictReader<T> {
  private readonly shape: Shape;

  /** Throws if the contracts have no such type, or one with fields of a kind that has no place here yet. */
  constructor(
    typeName: string,
    private readonly definition: { decode(bytes: Uint8Array): T },
  ) {
    const type = registry.getMessage(typeName);
    if (type === undefined) throw new Error(`no descriptor of ${typeName}`);
    this.shape = shapeOf(type);
  }

  /** Takes time in proportion to the fields, at most for {@link MAX_FIELDS}, and memory only for a message that is not ambiguous. */
  read(bytes: Uint8Array): Reading<T> {
    const scan = new Scan(bytes);
    try {
      scan.message(this.shape, bytes.length);
    } catch (error) {
      if (!(error instanceof AmbiguityError)) throw error;
      return { kind: 'ambiguous', problem: error.message };
    }
    const message = this.definition.decode(bytes);
    if (scan.unknownField === undefined) return { kind: 'canonical', message };
    return { kind: 'extended', message, problem: `this version does not know ${scan.unknownField}` };
  }
}

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));

/** Of protobuf's wire format; groups (3 and 4) are not for us. */
const VARINT = 0;
const BITS_64 = 1;
const LENGTH = 2;
const BITS_32 = 5;

/** Of a message and those in it: 10,000 jobs with 30 each. More would hold the event loop for too long. */
const MAX_FIELDS = 300_000;
const MAX_UINT32 = 0xffff_ffff;
/** Of a varint that holds 32 bits, and one that holds 64. */
const [BYTES_OF_32_BITS, BYTES_OF_64_BITS] = [5, 10];

type Value = 'text' | 'bool' | 'opaque' | Shape;

interface Shape {
  readonly name: string;
  readonly fields: ReadonlyMap<number, FieldShape>;
}

interface FieldShape {
  readonly name: string;
  readonly wireType: number;
  readonly isRepeated: boolean;
  readonly value: Value;
}

const SCALARS: Partial<Record<ScalarType, Pick<FieldShape, 'wireType' | 'value'>>> = {
  [ScalarType.STRING]: { wireType: LENGTH, value: 'text' },
  [ScalarType.BYTES]: { wireType: LENGTH, value: 'opaque' },
  [ScalarType.BOOL]: { wireType: VARINT, value: 'bool' },
  [ScalarType.DOUBLE]: { wireType: BITS_64, value: 'opaque' },
};

function shapeOf({ typeName, fields }: DescMessage): Shape {
  return { name: typeName, fields: new Map(fields.map((field) => [field.number, fieldShapeOf(field)])) };
}

function fieldShapeOf(field: DescField): FieldShape {
  const { name } = field;
  const isRepeated = field.fieldKind === 'list' || field.fieldKind === 'map';
  if (field.fieldKind === 'map') {
    const entry = [
      ['key', scalarShapeOf(field, field.mapKey)],
      ['value', scalarShapeOf(field, field.scalar)],
    ] as const;
    const fields = new Map(
      entry.map(([part, shape], i) => [i + 1, { name: part, isRepeated: false, ...shape }]),
    );
    return { name, isRepeated, wireType: LENGTH, value: { name: `an entry of ${name}`, fields } };
  }
  if (field.message !== undefined) {
    return { name, isRepeated, wireType: LENGTH, value: shapeOf(field.message) };
  }
  return { name, isRepeated, ...scalarShapeOf(field, field.scalar) };
}

function scalarShapeOf(field: DescField, type: ScalarType | undefined) {
  const shape = type && SCALARS[type];
  if (shape === undefined) throw new Error(`no strict reading of ${field.toString()}`);
  return shape;
}

/** The message of it is a clause for people. */
class AmbiguityError extends Error {}

/** One walk over the bytes of a message. Throws an AmbiguityError at the first thing on which decoders differ. */
class Scan {
  /** The first field that was met and is in no contract. */
  unknownField: string | undefined;
  private at = 0;
  private fieldsMet = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** Walks over a message that lies from here to `end`. */
  message({ name, fields }: Shape, end: number): void {
    const met = new Set<number>();
    while (this.at < end) {
      if (++this.fieldsMet > MAX_FIELDS) throw new AmbiguityError(`it has more than ${MAX_FIELDS} fields`);
      const tag = this.uint32(end);
      const number = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (number === 0) throw new AmbiguityError(`${name} has a field with number 0`);
      const field = fields.get(number);
      if (field === undefined) this.unknownField ??= `field ${number} of ${name}`;
      else if (field.wireType !== wireType) {
        throw new AmbiguityError(`field ${field.name} of ${name} has the wire type ${wireType}`);
      } else if (!field.isRepeated) {
        if (met.has(number)) throw new AmbiguityError(`field ${field.name} of ${name} comes twice`);
        met.add(number);
      }
      this.value(wireType, field?.value ?? 'opaque', end);
    }
  }

  private value(wireType: number, value: Value, end: number): void {
    switch (wireType) {
      case VARINT: {
        const number = this.varint(end, BYTES_OF_64_BITS);
        if (value === 'bool' && number > 1) throw new AmbiguityError(`a bool has the value ${number}`);
        return;
      }
      case BITS_64:
        this.skip(8, end);
        return;
      case BITS_32:
        this.skip(4, end);
        return;
      case LENGTH: {
        const length = this.uint32(end);
        const from = this.at;
        this.skip(length, end);
        if (value === 'text') requireUtf8(this.bytes.subarray(from, this.at));
        else if (typeof value === 'object') {
          this.at = from;
          this.message(value, from + length);
        }
        return;
      }
      default:
        throw new AmbiguityError(`a field has the wire type ${wireType}`);
    }
  }

  private skip(length: number, end: number): void {
    if (length > end - this.at) throw new AmbiguityError('a value is cut off');
    this.at += length;
  }

  /** A tag, or a length. */
  private uint32(end: number): number {
    const number = this.varint(end, BYTES_OF_32_BITS);
    if (number > MAX_UINT32) throw new AmbiguityError('a tag or a length has more than 32 bits');
    return number;
  }

  /** Exact below 2^53; of greater numbers only the size counts. */
  private varint(end: number, longest: number): number {
    let number = 0;
    for (let i = 0, scale = 1; i < longest; i++, scale *= 128) {
      if (this.at >= end) throw new AmbiguityError('a number is cut off');
      const byte = this.bytes[this.at++] ?? 0;
      number += (byte % 128) * scale;
      if (byte >= 128) continue;
      if (byte === 0 && i > 0) throw new AmbiguityError('a number is longer than it need be');
      // Nine bytes hold 63 bits, so that the tenth has room for one.
      if (i === 9 && byte > 1) throw new AmbiguityError('a number has more than 64 bits');
      return number;
    }
    throw new AmbiguityError(`a number has more than ${longest} bytes`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function requireUtf8(bytes: Uint8Array): void {
  try {
    utf8.decode(bytes);
  } catch {
    throw new AmbiguityError('a text is not valid UTF-8');
  }
}
