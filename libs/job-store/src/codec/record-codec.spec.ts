import fc from 'fast-check';
import {
  JobId,
  ArmadaTime,
  JOB_STATES,
  isTerminal,
  type JobRecord,
  type JobState,
  type Run,
} from '@ajs/job-state';
import { UnreadableRecordError } from '../errors.js';
import { GOLDEN_RECORDS, JOB_ID } from '../testing/golden-records.js';
import { decodeEnrichment, decodeExternalUri } from './enrichment-codec.js';
import { decodeFailureDetails, encodeFailureDetails, failureDetailsOf } from './failure-details.js';
import { decodeRecord, decodeStatus, encodeRecord, type StringOfNumber } from './record-codec.js';
import { FIELD, LAYOUT } from './record-layout.js';

/** A string dictionary of its own for each record. */
function dictionary(): { numberOf: (text: string) => number; stringOf: StringOfNumber } {
  const strings: string[] = [];
  return {
    numberOf: (text) => (strings.includes(text) ? strings.indexOf(text) : strings.push(text) - 1),
    stringOf: (number) => strings[number],
  };
}

function encode(record: JobRecord, jobId = JOB_ID): { bytes: Buffer; stringOf: StringOfNumber } {
  const { numberOf, stringOf } = dictionary();
  return { bytes: encodeRecord(jobId, record, numberOf), stringOf };
}

/** As scripts/writing.lua does it. */
function withRevision(bytes: Buffer, revision: readonly number[]): Buffer {
  return Buffer.concat([Buffer.of((bytes[0] ?? 0) | 0x20, ...revision), bytes.subarray(1)]);
}

describe('the bytes of every layout ever stored', () => {
  it.each(GOLDEN_RECORDS)('are read as what they say: $name', ({ record, layout1, layout2 }) => {
    const { stringOf } = encode(record);
    const details = failureDetailsOf(record);
    for (const bytes of [layout1 ?? layout2, layout2]) {
      expect(decodeRecord(JOB_ID, bytes, details, stringOf)).toEqual(record);
    }
    const status = {
      state: record.state,
      changedAt: record.changedAt,
      isProvisional: record.lastEvent === undefined,
      isReported: record.reported !== undefined,
    };
    if (layout1 !== undefined) expect(decodeStatus(layout1)).toEqual(status);
    expect(decodeStatus(layout2)).toEqual({ ...status, revision: 300 });
  });

  it.each(GOLDEN_RECORDS)('are what is written today: $name', ({ record, layout1, layout2 }) => {
    const { bytes } = encode(record);
    if (layout1 !== undefined) expect(bytes.toString('hex')).toBe(layout1.toString('hex'));
    expect(withRevision(bytes, [0xac, 0x02]).toString('hex')).toBe(layout2.toString('hex'));
  });

  it('hold every state and every field', () => {
    expect(new Set(GOLDEN_RECORDS.map(({ record }) => record.state))).toEqual(
      new Set(Object.keys(JOB_STATES)),
    );
    let mask = 0;
    for (const { layout2 } of GOLDEN_RECORDS) {
      // Behind the first byte and the two of the revision; seven bits a byte, as long as the eighth is set.
      for (let at = 3, shift = 0; ; at++, shift += 7) {
        const byte = layout2[at] ?? 0;
        mask |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    for (const number of Object.values(FIELD)) expect([number, (mask >> number) & 1]).toEqual([number, 1]);
  });

  // Red after a new state or field? Then raise LAYOUT, add to the golden records, and write the new numbers here.
  it('belong to a layout that is raised with every state and field', () => {
    expect({
      LAYOUT,
      states: Math.max(...Object.values(JOB_STATES).map(({ number }) => number)),
      fields: Math.max(...Object.values(FIELD)),
    }).toEqual({ LAYOUT: 4, states: 10, fields: 18 });
  });

  it('give each state and each field a number of its own', () => {
    const states = Object.values(JOB_STATES).map(({ number }) => number);
    expect(new Set(states).size).toBe(states.length);
    expect(Math.max(...states)).toBeLessThan(32);
    expect(new Set(Object.values(FIELD)).size).toBe(Object.keys(FIELD).length);
  });
});

describe('a record of a newer version', () => {
  // Layout 2's record of every field, with a field number 19 and its three bytes behind all others.
  const everyField = GOLDEN_RECORDS.find(({ name }) => name === 'every field at once');
  const newer = Buffer.from(
    'e8ac02dfff23ac02ba8ce2bbc168000001bfa90700a09c01a09c01a09c01e0d403000000000701aabbcc',
    'hex',
  );

  it('is read without the field that is not known', () => {
    const details = { preempted: 'p' };
    expect(decodeRecord(JOB_ID, newer, details, () => 'a')).toEqual(everyField?.record);
    expect(decodeStatus(newer).state).toBe('PREEMPTED');
    // However great the number of the field.
    const far = Buffer.from('24ac028080808008' + '01ba8ce2bbc168' + 'ff', 'hex');
    expect(decodeRecord(JOB_ID, far, undefined, () => 'a')).toEqual({
      state: 'RUNNING',
      runNumber: 1,
      changedAt: 1_795_493_217_053,
    });
  });

  it('is read without an outcome that is not known: the run has ended', () => {
    const unknown = Buffer.from('24ac0284880201ba8ce2bbc1680a04', 'hex');
    expect(decodeRecord(JOB_ID, unknown, undefined, () => 'a').run).toEqual({
      endedAt: ArmadaTime(1_795_493_217_058),
    });
  });

  it('in a state that is not known is unreadable, and never in another state', () => {
    for (let number = 11; number < 32; number++) {
      for (const flags of [0x20, 0xa0, 0x80, 0]) {
        const bytes = Buffer.from(newer);
        bytes[0] = flags | number;
        expect(() => decodeStatus(bytes)).toThrow(UnreadableRecordError);
        expect(() => decodeRecord(JOB_ID, bytes, undefined, () => 'a')).toThrow(`state number ${number}`);
      }
    }
  });
});

describe('a record', () => {
  const ms = fc.integer({ min: 0, max: 2 ** 43 });
  const time = ms.map(ArmadaTime);
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  /** Any of the fields left out. */
  const some = <T extends object>(fields: {
    [K in keyof T]-?: fc.Arbitrary<NonNullable<T[K]>>;
  }): fc.Arbitrary<T> => fc.record<object>(fields, { requiredKeys: [] }) as fc.Arbitrary<T>;
  const jobId = fc.constantFrom(JOB_ID, JobId('not a ULID'), JobId('x-0'));
  const record = (id: string): fc.Arbitrary<JobRecord> =>
    fc
      .tuple(
        fc.record({
          state: fc.constantFrom(...(Object.keys(JOB_STATES) as JobState[])),
          runNumber: fc.nat(),
          changedAt: time,
        }),
        some<Omit<JobRecord, 'state' | 'runNumber' | 'changedAt' | 'externalUri'>>({
          lastEvent: fc.record({ ms, sequence: fc.nat(), index: fc.nat(), last: fc.boolean() }),
          submittedAt: time,
          namespace: text,
          run: some<Run>({
            leasedAt: time,
            pendingAt: time,
            runningAt: time,
            endedAt: time,
            cluster: text,
            pool: text,
            node: text,
            podNamespace: text,
            podName: fc.oneof(
              text,
              fc.nat(10_000_000).map((n) => `armada-${id}-${n}`),
              fc.constant(`armada-${id}-07`),
            ),
            outcome: fc.constantFrom('failed', 'preempted', 'returned', 'expired'),
            preempted: text,
          }),
          failure: fc.record({ reason: text }),
          cancellation: fc.record({ reason: text, requestor: text }),
          reported: some<NonNullable<JobRecord['reported']>>({ leasedAt: time }),
          failedRuns: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        }),
      )
      .map(([required, optional]) => ({ ...required, ...optional }));

  it('is read back whole, before and after it is given a revision', () => {
    fc.assert(
      fc.property(
        jobId.chain((id) => fc.tuple(fc.constant(id), record(id))),
        ([id, before]) => {
          const { bytes, stringOf } = encode(before, id);
          const details = failureDetailsOf(before);
          const kept = details && decodeFailureDetails(encodeFailureDetails(details));
          expect(decodeRecord(id, bytes, kept, stringOf)).toEqual(before);
          expect(decodeRecord(id, withRevision(bytes, [0xff, 0x01]), kept, stringOf)).toEqual(before);
          expect((bytes[0] ?? 0) >= 0x80).toBe(isTerminal(before.state));
        },
      ),
    );
  });

  it('that ends too early is unreadable', () => {
    const { layout2 } = GOLDEN_RECORDS.at(-1) ?? { layout2: Buffer.alloc(0) };
    for (let length = 0; length < layout2.length; length++) {
      const cut = layout2.subarray(0, length);
      expect(() => decodeRecord(JOB_ID, cut, undefined, () => 'a')).toThrow(UnreadableRecordError);
    }
  });

  it('whose failure details or enrichment are damaged is unreadable', () => {
    expect(() => decodeFailureDetails('{"failure":')).toThrow(UnreadableRecordError);
    expect(() => decodeEnrichment('[1,\n\n')).toThrow(UnreadableRecordError);
    expect(() => decodeExternalUri('\n\n\n\n"airflow:')).toThrow(UnreadableRecordError);
  });

  it('whose enrichment is the id of a run alone, as an older version kept it, has no runs', () => {
    expect(decodeEnrichment('[1,"run"]\n\n"exit 7"')).toEqual({ error: 'exit 7' });
  });

  it('in a state that has no number is never written', () => {
    const forgotten = { state: 'SUSPENDED', runNumber: 0, changedAt: 0 };
    // @ts-expect-error The state is not one of the table.
    expect(() => encodeRecord(JOB_ID, forgotten, () => 0)).toThrow('SUSPENDED');
  });
});
