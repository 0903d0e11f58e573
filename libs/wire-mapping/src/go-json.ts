import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import {
  isReflectList,
  isReflectMap,
  isReflectMessage,
  type ReflectMessage,
} from '@bufbuild/protobuf/reflect';

/**
 * A message as Go's `encoding/json` writes the struct that gogo/protobuf generates for it, which is how Armada's gateway answers
 * (grpc-gateway 1.16 with `JSONBuiltin`): camelCase names, zero values left out, enums as numbers, a timestamp as
 * `{"seconds", "nanos"}`. 64-bit numbers are JSON numbers: of those only a timestamp's seconds are in use, far below 2^53.
 */
export function toGoJson(message: ReflectMessage): JsonObject {
  const set = message.fields.filter((field) => message.isSet(field));
  return Object.fromEntries(set.map((field) => [field.jsonName, toGoValue(message.get(field))]));
}

function toGoValue(value: unknown): JsonValue {
  if (isReflectMessage(value)) return toGoJson(value);
  if (isReflectList(value)) return Array.from(value, toGoValue);
  if (isReflectMap(value)) {
    return Object.fromEntries<JsonValue>(Array.from(value, ([key, item]) => [String(key), toGoValue(item)]));
  }
  return typeof value === 'bigint' ? Number(value) : (value as string | number | boolean);
}
