import {
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  type JsonObject,
  type JsonValue,
} from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { FieldDescriptorProto_Type, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { toGoJson } from './go-json.js';

/** How messages are written as JSON: as Armada's gateway does, or as protobuf says. */
export type JsonProfile = 'go' | 'proto3';

/** As much of a method's generated definition as is needed here. */
export interface MethodDefinition<Request, Response> {
  readonly path: string;
  requestDeserialize(bytes: Buffer): Request;
  responseSerialize(response: Response): Uint8Array;
}

/** Methods whose messages are JSON, as a FileDescriptorSet describes them. */
export class JsonApi {
  private readonly registry: FileRegistry;

  constructor(descriptorSet: Uint8Array) {
    const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
    for (const { messageType } of set.file) {
      for (const message of messageType) {
        // Our protos declare the messages of Kubernetes as bytes: there is nothing that could be shown.
        message.field = message.field.filter(({ type }) => type !== FieldDescriptorProto_Type.BYTES);
      }
    }
    this.registry = createFileRegistry(set);
  }

  /** Throws if the descriptor set has no such method. */
  method<Request, Response>(definition: MethodDefinition<Request, Response>): JsonMethod<Request, Response> {
    const [, service = '', name] = definition.path.split('/');
    const method = this.registry.getService(service)?.methods.find((one) => one.name === name);
    if (method === undefined) throw new Error(`no descriptor of ${definition.path}`);
    return new JsonMethod(method, definition);
  }
}

export class JsonMethod<Request, Response> {
  constructor(
    readonly descriptor: DescMethod,
    private readonly definition: MethodDefinition<Request, Response>,
  ) {}

  /**
   * Takes both forms of a field's name, camelCase in any letter case as Go does, `null` as absent, and skips what it does not
   * know. Throws an error that names the field where a value is of a wrong type.
   */
  readRequest(json: JsonValue): Request {
    const { input } = this.descriptor;
    const message = fromJson(input, named(input, json ?? {}), { ignoreUnknownFields: true });
    return this.definition.requestDeserialize(Buffer.from(toBinary(input, message)));
  }

  writeResponse(response: Response, profile: JsonProfile): JsonValue {
    const { output } = this.descriptor;
    const bytes = this.definition.responseSerialize(response);
    const message = fromBinary(output, bytes, { readUnknownFields: false });
    return profile === 'go' ? toGoJson(reflect(output, message)) : toJson(output, message);
  }
}

/** The object with the fields' own names; of several names of one field the last wins. Requests hold no messages. */
function named(message: DescMessage, json: JsonValue): JsonValue {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(json)) {
    const name = key.toLowerCase();
    const field = message.fields.find((one) => one.name === name || one.jsonName.toLowerCase() === name);
    if (field !== undefined) result[field.name] = value;
  }
  return result;
}
