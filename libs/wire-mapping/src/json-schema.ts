import {
  ScalarType,
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
} from '@bufbuild/protobuf';
import type { JsonProfile } from './json-api.js';

/** What is to be said of a field beside its type, by its full name. */
export type FieldNotes = Readonly<Record<string, JsonObject>>;

/**
 * JSON Schemas of the message and of every message it holds, by name, as {@link JsonProfile} writes them. References are to
 * `#/components/schemas/NAME`. No field is required, since zero values are left out.
 */
export function jsonSchemas(root: DescMessage, profile: JsonProfile, notes: FieldNotes = {}): JsonObject {
  const schemas: JsonObject = {};

  function add(message: DescMessage): void {
    const name = schemaName(message, profile);
    if (name in schemas) return;
    const properties: JsonObject = {};
    schemas[name] = { type: 'object', properties };
    for (const field of message.fields) {
      properties[field.jsonName] = {
        ...fieldSchema(field),
        ...notes[`${message.typeName}.${field.name}`],
      };
    }
  }

  function fieldSchema(field: DescField): JsonObject {
    switch (field.fieldKind) {
      case 'list':
        return { type: 'array', items: valueSchema(field, field.listKind) };
      case 'map':
        return {
          type: 'object',
          additionalProperties: valueSchema(field, field.mapKind),
          ...(field.mapKey !== ScalarType.STRING && { propertyNames: { pattern: '^-?[0-9]+$' } }),
        };
      case 'scalar':
      case 'enum':
      case 'message':
        return valueSchema(field, field.fieldKind);
    }
  }

  function valueSchema(field: DescField, kind: 'scalar' | 'enum' | 'message'): JsonObject {
    if (kind === 'enum' && field.enum !== undefined) return enumSchema(field.enum, profile);
    if (kind === 'message' && field.message !== undefined) {
      const wellKnown = profile === 'proto3' ? WELL_KNOWN[field.message.typeName] : undefined;
      if (wellKnown !== undefined) return wellKnown;
      add(field.message);
      return { $ref: `#/components/schemas/${schemaName(field.message, profile)}` };
    }
    return scalarSchema(field, profile);
  }

  add(root);
  return schemas;
}

/** Messages that proto3 writes in a form of their own. */
const WELL_KNOWN: Readonly<Record<string, JsonObject>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]+)?s$' },
};

/** The name of a message's schema: of the two forms of Armada's messages, its own has the plain name. Ours have one form alone. */
export function schemaName(message: DescMessage, profile: JsonProfile): string {
  if (profile === 'go') return message.name;
  return message.typeName.startsWith('jobservice.v2.') ? message.typeName : `${message.name}.proto3`;
}

function enumSchema({ values }: DescEnum, profile: JsonProfile): JsonObject {
  if (profile === 'proto3') return { type: 'string', enum: values.map(({ name }) => name) };
  return {
    type: 'integer',
    enum: values.map(({ number }) => number),
    description: values.map(({ number, name }) => `${number} ${name}`).join(', '),
  };
}

/** The types in use; a method that needs another one throws until it has its place here. */
const SCALARS: Partial<Record<ScalarType, JsonObject>> = {
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.DOUBLE]: { type: 'number' },
  [ScalarType.INT32]: { type: 'integer', format: 'int32' },
  [ScalarType.INT64]: { type: 'integer', format: 'int64' },
  [ScalarType.UINT32]: { type: 'integer', minimum: 0 },
  [ScalarType.UINT64]: { type: 'integer', minimum: 0 },
};

function scalarSchema(field: DescField, profile: JsonProfile): JsonObject {
  const { scalar } = field;
  const schema = scalar && SCALARS[scalar];
  if (schema === undefined) throw new Error(`no JSON Schema for ${field.toString()}`);
  // A JSON number cannot hold every 64-bit one: proto3 writes them as texts, and Go does not mind.
  const is64Bit = scalar === ScalarType.INT64 || scalar === ScalarType.UINT64;
  return is64Bit && profile === 'proto3' ? { type: 'string', format: 'int64' } : schema;
}
