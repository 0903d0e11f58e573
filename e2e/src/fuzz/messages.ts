import { descriptorSet } from '@ajs/contracts';
import {
  ScalarType,
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
  type DescField,
  type DescMessage,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc, { type Arbitrary } from 'fast-check';

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
const DEEPEST = 3;

const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    'q',
    's',
    '{}',
    '/',
    ':',
    '\n',
    '\0',
    '%2F',
    '../..',
    '__proto__',
    'constructor',
    'a'.repeat(2_000),
  ),
);

/** A method, and requests of the right type with any content. */
export interface FuzzedMethod {
  readonly path: string;
  readonly request: Arbitrary<Buffer>;
}

/** The methods of our protos, without those by which tests control the fake Armada. */
export const METHODS: readonly FuzzedMethod[] = Array.from(registry)
  .filter((type) => type.kind === 'service')
  .filter(({ typeName }) => !typeName.startsWith('fakearmada.'))
  .flatMap(({ typeName, methods }) =>
    methods.map(({ name, input }) => ({ path: `/${typeName}/${name}`, request: messageOf(input) })),
  );

function messageOf(message: DescMessage): Arbitrary<Buffer> {
  return contentOf(message, 0).map((content) => Buffer.from(toBinary(message, create(message, content))));
}

function contentOf(message: DescMessage, depth: number): Arbitrary<Record<string, unknown>> {
  const fields = message.fields.filter((field) => field.message === undefined || depth < DEEPEST);
  const values = fields.map((field) => [field.localName, fieldOf(field, depth)] as const);
  // Members of a oneof exclude each other: they are left out.
  const plain = values.filter((_, i) => fields[i]?.oneof === undefined);
  return fc.record(Object.fromEntries(plain), { requiredKeys: [] });
}

function fieldOf(field: DescField, depth: number): Arbitrary<unknown> {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarOf(field.scalar);
    case 'enum':
      return fc.integer({ min: -1, max: 30 });
    case 'message':
      return contentOf(field.message, depth + 1).map((content) => create(field.message, content));
    case 'list':
      return fc.array(elementOf(field, depth), { maxLength: 5 });
    case 'map': {
      const value = field.mapKind === 'scalar' ? scalarOf(field.scalar) : elementOf(field, depth);
      return fc.dictionary(fc.string(), value, { maxKeys: 3 });
    }
  }
}

function elementOf(field: DescField & { fieldKind: 'list' | 'map' }, depth: number): Arbitrary<unknown> {
  if (field.message !== undefined) {
    const { message } = field;
    return contentOf(message, depth + 1).map((content) => create(message, content));
  }
  return field.scalar === undefined ? fc.integer({ min: -1, max: 30 }) : scalarOf(field.scalar);
}

function scalarOf(scalar: ScalarType): Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.STRING:
      return anyText;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array();
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.float();
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.nat();
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return fc.integer();
  }
}

/** Any valid encoding: nested fields of any number and type. */
export const anyMessage: Arbitrary<Buffer> = fc
  .letrec<{ fields: Uint8Array }>((tie) => ({
    fields: fc
      .array(
        fc.record({
          number: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 2 ** 29 - 1 })),
          value: fc.oneof(
            { depthSize: 'small' },
            fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
            anyText,
            fc.uint8Array({ maxLength: 40 }),
            tie('fields'),
          ),
        }),
        { maxLength: 6 },
      )
      .map((fields) => {
        const writer = new BinaryWriter();
        for (const { number, value } of fields) {
          if (typeof value === 'bigint') writer.tag(number, WireType.Varint).uint64(value);
          else if (typeof value === 'string') writer.tag(number, WireType.LengthDelimited).string(value);
          else writer.tag(number, WireType.LengthDelimited).bytes(value);
        }
        return writer.finish();
      }),
  }))
  .fields.map((bytes) => Buffer.from(bytes));

/** Known hard cases: deeply nested groups, lengths beyond the end, endless numbers. */
export const hardBytes: Arbitrary<Buffer> = fc.constantFrom(
  Buffer.alloc(200_000, 0x0b),
  Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.alloc(100, 0xff),
  Buffer.from([0x0c, 0x00, 0x07]),
  // Names that are not UTF-8.
  Buffer.from([0x0a, 0x02, 0xc3, 0x28, 0x12, 0x01, 0xff, 0x1a, 0x01, 0xfe]),
);

export const anyBytes: Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  anyMessage,
  hardBytes,
);
