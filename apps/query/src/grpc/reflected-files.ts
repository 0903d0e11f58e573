import { descriptorSet } from '@ajs/contracts';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { AnyDefinition, PackageDefinition } from '@grpc/proto-loader';

/**
 * The files of these services and what they import, as they were compiled: those that proto-loader generates lack imports and names of map
 * entries, and grpcurl rejects them.
 */
export function reflectedFiles(services: readonly string[]): PackageDefinition {
  const wanted = new Set<string>();
  const served: [string, AnyDefinition][] = [];
  // The compiler puts each file after those that it imports.
  for (const bytes of [...filesOf(descriptorSet)].reverse()) {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    const isServed = file.service.some(({ name }) => services.includes(`${file.package}.${name}`));
    if (!isServed && !wanted.has(file.name)) continue;
    for (const imported of file.dependency) wanted.add(imported);
    // Reflection reads nothing else of a definition.
    served.unshift([file.name, { fileDescriptorProtos: [bytes] } as unknown as AnyDefinition]);
  }
  return Object.fromEntries(served);
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
