import { descriptorSet } from '@ajs/contracts';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { AnyDefinition, PackageDefinition } from '@grpc/proto-loader';

/**
 * The files that reflection serves, as they were compiled: those that proto-loader generates lack imports and names of map entries, and
 * grpcurl rejects them.
 */
export function reflectedFiles(): PackageDefinition {
  const files = Array.from(filesOf(descriptorSet), (bytes, i) => {
    // Reflection reads nothing else of a definition.
    const definition = { fileDescriptorProtos: [bytes] } as unknown as AnyDefinition;
    return [`file${i}`, definition] as const;
  });
  return Object.fromEntries(files);
}

/** The files of a FileDescriptorSet (field 1, repeated), each still serialized. */
function* filesOf(set: Buffer): Generator<Buffer> {
  const reader = new BinaryReader(set);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) yield Buffer.from(reader.bytes());
    else reader.skip(wireType);
  }
}
