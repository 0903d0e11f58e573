import { EventMessage, JobSetRequest, WatchRequest } from '@ajs/contracts/api/event';
import { JobSubmitRequest, JobSubmitResponse } from '@ajs/contracts/api/submit';
import {
  JOB_SUBMIT_REQUEST,
  asGogoReads,
  hostileMessages,
  seededRandom,
  submitItem,
  wireField,
  wireVarint,
} from '@ajs/testing';
import { StrictReader } from './strict-reader.js';

const submits = new StrictReader('api.JobSubmitRequest', JobSubmitRequest);
const answers = new StrictReader('api.JobSubmitResponse', JobSubmitResponse);
const reads = new StrictReader('api.JobSetRequest', JobSetRequest);
const watches = new StrictReader('api.WatchRequest', WatchRequest);

/** Serialized by code that gogo 1.3.2 generates, as armadactl and Armada's servers do, with every field of a submit. */
const FROM_GO =
  '0a017112026a731aa50109000000000000f83f1211120f0a046d61696e120762757379626f781a0764656661756c7422050a016312002a2e0a1f' +
  '61726d61646170726f6a6563742e696f2f65787465726e616c4a6f62557269120b616972666c6f773a2f2f7832060a016e1201313a11120f0a' +
  '046d61696e120762757379626f7842046f6e63654a0312015052031201505a0661726d6164616a14616972666c6f773a2f2f6461672f746173' +
  '6b2f311a00';

/** Serialized by armada-client 0.5.0 (Python), with every field that its messages have. */
const FROM_PYTHON = {
  submit:
    '0a017112026a731aa20209000000000000f83f123b12390a046d61696e120762757379626f782202736822022d63220665786974203042180a' +
    '0a0a0363707512030a0131120a0a0363707512030a01311a0764656661756c7422060a016112016222050a016312002a2e0a1f61726d616461' +
    '70726f6a6563742e696f2f65787465726e616c4a6f62557269120b616972666c6f773a2f2f782a090a02c3bc1203e2988332060a016e120131' +
    '3a3b12390a046d61696e120762757379626f782202736822022d63220665786974203042180a0a0a0363707512030a0131120a0a0363707512' +
    '030a013142046f6e63654a14120350bb031a060a016912016a20012a01633001520808011201505a016e5a0661726d6164616a14616972666c' +
    '6f773a2f2f6461672f7461736b2f311a40123b12390a046d61696e120762757379626f782202736822022d63220665786974203042180a0a0a' +
    '0363707512030a0131120a0a0363707512030a01311a0178',
  answer: '0a1c0a1a3031683435357662347065783576736b6e6b303834736e3032710a0412026e6f',
  read: '0a026a731a07313a303a303a312201712801',
  watch: '0a026a731001220171',
  newerWatch: '0a017112026a731a07313a303a303a31',
};
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

describe('a strict reader', () => {
  it('reads what real clients send', () => {
    for (const sent of [FROM_GO, FROM_PYTHON.submit]) {
      const submit = submits.read(bytes(sent));
      expect(submit).toMatchObject({ kind: 'canonical', message: { queue: 'q', jobSetId: 'js' } });
      const [item, other] = submit.kind === 'canonical' ? submit.message.jobRequestItems : [];
      expect(item).toMatchObject({
        clientId: 'once',
        externalJobUri: 'airflow://dag/task/1',
        labels: { c: '' },
        annotations: { 'armadaproject.io/externalJobUri': 'airflow://x' },
      });
      expect(other).toMatchObject({ clientId: '' });
    }
    expect(answers.read(bytes(FROM_PYTHON.answer))).toMatchObject({
      kind: 'canonical',
      message: { jobResponseItems: [{ jobId: '01h455vb4pex5vsknk084sn02q' }, { error: 'no' }] },
    });
    expect(reads.read(bytes(FROM_PYTHON.read))).toMatchObject({
      kind: 'canonical',
      message: { id: 'js', watch: false, fromMessageId: '1:0:0:1', queue: 'q', errorIfMissing: true },
    });
    expect(reads.read(bytes(FROM_PYTHON.watch))).toMatchObject({
      kind: 'canonical',
      message: { id: 'js', watch: true, queue: 'q' },
    });
    expect(watches.read(bytes(FROM_PYTHON.newerWatch))).toMatchObject({
      kind: 'canonical',
      message: { queue: 'q', jobSetId: 'js', fromId: '1:0:0:1' },
    });
    expect(submits.read(Buffer.of())).toMatchObject({ kind: 'canonical', message: { queue: '' } });
  });

  it('reads fields in any order, and values that need not be there', () => {
    const request = Buffer.concat([
      wireField(3, ''),
      wireField(2, 's'),
      wireField(1, ''),
      wireField(3, wireField(3, 'n')),
    ]);
    expect(submits.read(request)).toMatchObject({
      kind: 'canonical',
      message: { queue: '', jobSetId: 's', jobRequestItems: [{ namespace: '' }, { namespace: 'n' }] },
    });
  });

  it('keeps a byte-order mark, which is text', () => {
    expect(reads.read(wireField(4, '\ufeffq'))).toMatchObject({
      kind: 'canonical',
      message: { queue: '\ufeffq' },
    });
  });

  it.each([
    ['a text', reads, wireField(6, 'x'), 'field 6 of api.JobSetRequest'],
    ['a number', reads, Buffer.concat([wireVarint(48), bytes('ffffffffffffffffff01')]), 'field 6 of'],
    ['four bytes', reads, bytes('3500000000'), 'field 6 of'],
    ['eight bytes', reads, bytes('310000000000000000'), 'field 6 of'],
    [
      'the greatest number',
      reads,
      Buffer.concat([wireVarint((2 ** 29 - 1) * 8), bytes('00')]),
      'field 536870911',
    ],
    ['a place in an item', submits, wireField(3, wireField(12, 'x')), 'field 12 of api.JobSubmitRequestItem'],
    [
      'a place in a map',
      submits,
      wireField(3, wireField(5, wireField(3, 'x'))),
      'field 3 of an entry of annotations',
    ],
    [
      'a place in an answer',
      answers,
      wireField(1, wireField(3, 'x')),
      'field 3 of api.JobSubmitResponseItem',
    ],
  ])('names a field of a newer sender that has %s', (_, reader: StrictReader<unknown>, sent, problem) => {
    expect(reader.read(sent)).toMatchObject({
      kind: 'extended',
      problem: expect.stringContaining(`this version does not know ${problem}`) as string,
    });
  });

  it.each(hostileMessages(1))('finds $title ambiguous in a submit', ({ bytes: hostile }) => {
    expect(submits.read(Buffer.concat([wireField(2, 's'), hostile])).kind).toBe('ambiguous');
  });

  it.each(hostileMessages(4))('finds $title ambiguous in a request for events', ({ bytes: hostile }) => {
    expect(reads.read(hostile).kind).toBe('ambiguous');
  });

  it.each([
    ['a bool of more than 1', reads, bytes('1002'), 'a bool has the value 2'],
    ['a bool of more than 32 bits', reads, bytes('108080808010'), 'a bool has the value 4294967296'],
    ['a bool of more than 64 bits', reads, bytes('10ffffffffffffffffff02'), 'a number has more than 64 bits'],
    ['a bool longer than need be', reads, bytes('108100'), 'a number is longer than it need be'],
    ['a bool that is there twice', reads, bytes('10011000'), 'field watch of api.JobSetRequest comes twice'],
    [
      'a URI that is there twice',
      submits,
      item(wireField(13, 'u'), wireField(13, 'v')),
      'external_job_uri .* twice',
    ],
    ['a pod that is there twice', submits, item(wireField(2, ''), wireField(2, '')), 'pod_spec .* twice'],
    ['a key that is there twice', submits, annotation(wireField(1, 'k'), wireField(1, 'l')), 'key .* twice'],
    ['a key that is a number', submits, annotation(bytes('0801'), wireField(2, 'v')), 'key .* wire type 0'],
    ['a priority that is a number', submits, item(bytes('0801')), 'priority .* wire type 0'],
    ['a tag of 2^33 in an item', submits, item(wireVarint(2 ** 33), bytes('00')), 'more than 32 bits'],
    ['an item that ends in a field', submits, item(bytes('6a05'), bytes('61')), 'cut off'],
    ['a double that is cut off', submits, item(bytes('09000000')), 'cut off'],
    ['an annotation that is not UTF-8', submits, annotation(wireField(2, bytes('ff'))), 'UTF-8'],
    [
      'an id that is there twice',
      answers,
      wireField(1, Buffer.concat([wireField(1, 'a'), wireField(1, 'b')])),
      'twice',
    ],
  ])('finds %s ambiguous, and says so', (_, reader: StrictReader<unknown>, sent, problem) => {
    expect(reader.read(sent)).toEqual({
      kind: 'ambiguous',
      problem: expect.stringMatching(problem) as string,
    });
  });

  it.each([
    ['items', wireField(3, '')],
    ['fields of a newer sender', wireField(4, '')],
    ['annotations of one item', Buffer.of(0x2a, 0)],
  ])('does not look through a message with very many %s', (what, one) => {
    const many = (count: number): Buffer => {
      const repeated = Buffer.alloc(count * one.length, one);
      return what === 'annotations of one item' ? wireField(3, repeated) : repeated;
    };
    expect(submits.read(many(299_999)).kind).not.toBe('ambiguous');
    expect(submits.read(many(300_001))).toEqual({
      kind: 'ambiguous',
      problem: 'it has more than 300000 fields',
    });
  });

  it('agrees with Armada’s decoder on whatever it does not find ambiguous', () => {
    const random = seededRandom(16);
    const plain = Buffer.from(
      JobSubmitRequest.encode({
        queue: 'q',
        jobSetId: 's',
        jobRequestItems: [submitItem('x', { externalJobUri: 'u', annotations: { k: 'v' } }), submitItem('y')],
      }).finish(),
    );
    const kinds = { canonical: 0, extended: 0, ambiguous: 0 };
    for (let i = 0; i < 5_000; i++) {
      const mutated = mutate(plain, random);
      const reading = submits.read(mutated);
      kinds[reading.kind]++;
      if (reading.kind === 'ambiguous') continue;
      const forArmada = JobSubmitRequest.decode(asGogoReads(mutated, JOB_SUBMIT_REQUEST));
      expect(reading.message).toEqual(forArmada);
    }
    expect(Math.min(...Object.values(kinds))).toBeGreaterThan(20);
  });

  it('is not made for types with fields of a kind that it does not know', () => {
    expect(() => new StrictReader('api.None', WatchRequest)).toThrow('no descriptor of api.None');
    expect(() => new StrictReader('api.EventMessage', EventMessage)).toThrow(
      /no strict reading of .*Timestamp/,
    );
  });
});

function item(...fields: Buffer[]): Buffer {
  return wireField(3, Buffer.concat(fields));
}

function annotation(...fields: Buffer[]): Buffer {
  return item(wireField(5, Buffer.concat(fields)));
}

/** The message with some bytes changed, left out or put in, near its begin more often than elsewhere. */
function mutate(message: Buffer, random: () => number): Buffer {
  let mutated = message;
  for (let changes = Math.ceil(random() * 3); changes > 0; changes--) {
    const at = Math.floor(random() ** 2 * mutated.length);
    const [before, after] = [mutated.subarray(0, at), mutated.subarray(at)];
    const some = Buffer.of(random() < 0.5 ? Math.floor(random() * 256) : 0x80);
    const kind = Math.floor(random() * 3);
    mutated = Buffer.concat([before, ...(kind === 0 ? [] : [some]), kind === 2 ? after : after.subarray(1)]);
  }
  return mutated;
}
