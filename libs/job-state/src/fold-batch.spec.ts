import fc from 'fast-check';
import {
  JobId,
  ArmadaTime,
  compareMessageIds,
  fold,
  foldBatch,
  formatMessageId,
  isTerminal,
  type JobEvent,
  type JobRecord,
  type MessageId,
  type StreamMessage,
} from './index.js';

const jobId = fc.constantFrom('a', 'b', 'never-submitted').map(JobId);
const placement = fc.record({ cluster: fc.constantFrom('c1', 'c2') }, { requiredKeys: [] });
const at = fc.integer({ min: 1, max: 1_000 }).map(ArmadaTime);
const event: fc.Arbitrary<JobEvent> = fc.oneof(
  fc.record({ kind: fc.constantFrom('submitted', 'queued'), jobId, at }),
  fc.record({
    kind: fc.constant('returned' as const),
    jobId,
    at,
    expired: fc.boolean(),
    attempted: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('leased', 'pending', 'running', 'succeeded'), jobId, at, placement }),
  fc.record({
    kind: fc.constant('failed' as const),
    jobId,
    at,
    placement,
    retryable: fc.boolean(),
    rejected: fc.boolean(),
    failure: fc.record({ reason: fc.constantFrom('', 'exit 1', 'Preempted by x') }),
  }),
  fc.record({ kind: fc.constant('preempted' as const), jobId, at, reason: fc.constantFrom('', 'by x') }),
  fc.record({
    kind: fc.constant('cancelled' as const),
    jobId,
    at,
    reason: fc.string(),
    requestor: fc.string(),
  }),
  fc.record({ kind: fc.constant('duplicate-found' as const), jobId, at, originalJobId: fc.string() }),
);
/** Most messages have an event; some do not, as those of an unknown kind. */
const eventOrNone = fc.option(event, { freq: 6, nil: undefined });

function message(id: MessageId, event: JobEvent | undefined): StreamMessage {
  return { id, cursor: formatMessageId(id), ...(event !== undefined && { event }) };
}

/** A stream as Armada sends it: ids that rise, several in an entry. */
const stream: fc.Arbitrary<StreamMessage[]> = fc
  .array(fc.tuple(eventOrNone, fc.boolean()), { maxLength: 40 })
  .map((items) => {
    let id: MessageId = { ms: 1, sequence: 0, index: -1, last: false };
    return items.map(([event, newEntry]) => {
      id = newEntry ? { ...id, ms: id.ms + 1, index: 0 } : { ...id, index: id.index + 1 };
      return message(id, event);
    });
  });
/** Anything at all: ids in any order, also the same twice. */
const hostile: fc.Arbitrary<StreamMessage[]> = fc.array(
  fc
    .tuple(eventOrNone, fc.integer({ min: 0, max: 8 }))
    .map(([event, ms]) => message({ ms, sequence: 0, index: 0, last: true }, event)),
  { maxLength: 40 },
);

type Records = ReadonlyMap<JobId, JobRecord>;
const NONE: Records = new Map();
const apply = (records: Records, messages: readonly StreamMessage[]): Records =>
  new Map([...records, ...foldBatch(records, messages)]);

describe('foldBatch, for every stream', () => {
  it('keeps terminal states, whatever follows', () => {
    fc.assert(
      fc.property(stream, hostile, (first, then) => {
        const before = apply(NONE, first);
        const after = apply(before, then);
        for (const [job, record] of before) if (isTerminal(record.state)) expect(after.get(job)).toBe(record);
      }),
    );
  });

  it('changes nothing when any part of what was applied is replayed', () => {
    fc.assert(
      fc.property(stream, fc.nat(), fc.nat(), (messages, a, b) => {
        const records = apply(NONE, messages);
        const [from, to] = [a % (messages.length + 1), b % (messages.length + 1)].sort((x, y) => x - y);
        expect(foldBatch(records, messages.slice(from, to))).toEqual(new Map());
      }),
    );
  });

  it('gives the same when messages come twice, in the order of a reader that begins again', () => {
    fc.assert(
      fc.property(stream, fc.nat(), (messages, n) => {
        const cut = n % (messages.length + 1);
        expect(apply(NONE, [...messages.slice(0, cut), ...messages])).toEqual(apply(NONE, messages));
      }),
    );
  });

  it('gives the same wherever the stream is cut into batches', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat()), (messages, cuts) => {
        const at = [
          0,
          ...cuts.map((cut) => cut % (messages.length + 1)).sort((a, b) => a - b),
          messages.length,
        ];
        const inBatches = at
          .slice(1)
          .reduce((records, end, i) => apply(records, messages.slice(at[i], end)), NONE);
        expect(inBatches).toEqual(apply(NONE, messages));
      }),
    );
  });

  it('is the fold of each message in turn, and makes no record without an event', () => {
    fc.assert(
      fc.property(fc.oneof(stream, hostile), (messages) => {
        const one = new Map<string, JobRecord>();
        for (const { event, id } of messages) {
          if (event !== undefined) one.set(event.jobId, fold(one.get(event.jobId), event, id));
        }
        expect(apply(NONE, messages)).toEqual(one);
      }),
    );
  });

  it('gives an outcome to runs that ended, and to no run that goes on or ended with its job', () => {
    fc.assert(
      fc.property(fc.oneof(stream, hostile), (messages) => {
        for (const { state, run } of apply(NONE, messages).values()) {
          if (run?.outcome !== undefined) expect(run.endedAt).toBeDefined();
          if (['LEASED', 'PENDING', 'RUNNING', 'SUCCEEDED'].includes(state)) {
            expect(run?.outcome).toBeUndefined();
          }
          if (state === 'QUEUED' && run?.endedAt !== undefined) expect(run.outcome).toBeDefined();
        }
      }),
    );
  });

  it('never lets a record go back to an older message', () => {
    fc.assert(
      fc.property(hostile, (messages) => {
        let records = NONE;
        for (const message of messages) {
          const next = apply(records, [message]);
          for (const [job, { lastEvent: was }] of records) {
            const is = next.get(job)?.lastEvent;
            if (was && is) expect(compareMessageIds(is, was)).toBeGreaterThanOrEqual(0);
          }
          records = next;
        }
      }),
    );
  });

  it('leaves what was known as it was', () => {
    fc.assert(
      fc.property(stream, hostile, (first, then) => {
        const known = apply(NONE, first);
        const copy = structuredClone(known);
        foldBatch(known, then);
        expect(known).toEqual(copy);
      }),
    );
  });
});
