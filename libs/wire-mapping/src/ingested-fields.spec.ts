import { descriptorSet } from '@ajs/contracts';
import { EventStreamMessage } from '@ajs/contracts/api/event';
import { createFileRegistry, fromBinary, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readStreamMessage } from './index.js';

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
/** Tags of fields that have a length. */
const [ID, MESSAGE] = [(1 << 3) | 2, (2 << 3) | 2];
const [SUBMITTED, JOB_ID, JOB] = [(1 << 3) | 2, (1 << 3) | 2, (5 << 3) | 2];
const [NAMESPACE, LABELS] = [(7 << 3) | 2, (9 << 3) | 2];

function messageNamed(name: string): DescMessage {
  const message = registry.getMessage(name);
  if (message === undefined) throw new Error(`there is no ${name}`);
  return message;
}

const typeOf = ({ fieldKind, scalar, message, enum: anEnum, proto, oneof }: DescField): object => ({
  fieldKind,
  scalar,
  type:
    anEnum?.typeName ?? (message?.file.proto.package === 'google.protobuf' ? message.typeName : undefined),
  label: proto.label,
  oneof: oneof?.name,
});

/** Fields, by their path, that `read` has and the message of Armada has not, or has otherwise. */
function differences(read: DescMessage, armada: DescMessage, path = ''): string[] {
  return read.fields.flatMap((field) => {
    const other = armada.fields.find(({ number }) => number === field.number);
    const name = `${path}.${field.localName}`;
    if (other?.localName !== field.localName) return [name];
    if (JSON.stringify(typeOf(field)) !== JSON.stringify(typeOf(other))) return [name];
    const [inner, otherInner] = [field.message, other.message];
    return inner && otherInner ? differences(inner, otherInner, name) : [];
  });
}

describe('the messages that the ingester reads', () => {
  it('have no field that is not Armada’s, with its number and type', () => {
    const armada = messageNamed('api.EventStreamMessage');
    expect(differences(messageNamed('ingest.v1.EventStreamMessage'), armada)).toEqual([]);
    expect(differences(messageNamed('api.JobSubmittedEvent'), messageNamed('api.JobRunningEvent'))).toEqual([
      '.job',
    ]);
  });

  it('know every kind of event that the contract knows', () => {
    const kinds = (name: string) => messageNamed(name).fields.map(({ number }) => number);
    expect(kinds('ingest.v1.EventMessage')).toEqual(kinds('api.EventMessage'));
  });

  it('skip what else a submitted job carries, be it even malformed', () => {
    const job = new BinaryWriter()
      .uint32(LABELS)
      .bytes(Buffer.alloc(100, 0xff))
      .uint32(NAMESPACE)
      .string('ns');
    const submitted = new BinaryWriter().uint32(JOB_ID).string('a').uint32(JOB).bytes(job.finish());
    const message = new BinaryWriter().uint32(SUBMITTED).bytes(submitted.finish());
    const bytes = new BinaryWriter()
      .uint32(ID)
      .string('1:0:0:1')
      .uint32(MESSAGE)
      .bytes(message.finish())
      .finish();
    expect(() => EventStreamMessage.decode(bytes)).toThrow();
    expect(readStreamMessage(bytes)).toMatchObject({
      message: { event: { kind: 'submitted', jobId: 'a', namespace: 'ns' } },
    });
  });
});
