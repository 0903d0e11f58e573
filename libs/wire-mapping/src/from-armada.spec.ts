import {
  Cause,
  EventStreamMessage,
  JobCancelledEvent,
  JobFailedEvent,
  JobLeaseReturnedEvent,
  JobRunningEvent,
  JobSubmittedEvent,
  type EventMessage,
} from '@ajs/contracts/api/event';
import { heapUsed } from '@ajs/testing';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { LONGEST_EXTERNAL_URI, LONGEST_REASON } from './bounds.js';
import { EXTERNAL_URI_ANNOTATION, readStreamMessage, toStreamMessage } from './index.js';

const ID = '1795493217053:0:3:1';
const EMPTY = new Uint8Array();
const base = { jobId: '01m85vrgp7whz55kx8f03d6510', jobSetId: 's', queue: 'q', created: undefined };

/** As it comes off the wire. */
function map(events: EventMessage['events'], id = ID) {
  return toStreamMessage(
    EventStreamMessage.decode(EventStreamMessage.encode({ id, message: { events } }).finish()),
  );
}

function eventOf(events: EventMessage['events']) {
  const mapped = map(events);
  return mapped.kind === 'message' ? mapped.message.event : undefined;
}

/** A message whose kind has this field number, as another version of Armada would send it. */
function rawKind(field: number, text: readonly (readonly [number, string])[]) {
  const kind = new BinaryWriter();
  for (const [number, value] of text) kind.uint32((number << 3) | 2).string(value);
  const message = new BinaryWriter().uint32((field << 3) | 2).bytes(kind.finish());
  const stream = new BinaryWriter().uint32(10).string(ID).uint32(18).bytes(message.finish());
  return toStreamMessage(EventStreamMessage.decode(stream.finish()));
}

describe('messages of Armada', () => {
  it('keep their id verbatim, and take the time of the event, or of the entry where there is none', () => {
    const running = { ...JobRunningEvent.decode(EMPTY), ...base };
    expect(map({ $case: 'running', value: running })).toMatchObject({
      kind: 'message',
      message: { cursor: ID, event: { kind: 'running', at: 1_795_493_217_053 } },
    });
    const created = { seconds: '1795493200', nanos: 5_000_000 };
    expect(eventOf({ $case: 'running', value: { ...running, created } })).toMatchObject({
      at: 1_795_493_200_005,
    });
  });

  it('distinguish a lease that came back from one that expired', () => {
    const returned = { ...JobLeaseReturnedEvent.decode(EMPTY), ...base };
    expect(eventOf({ $case: 'leaseReturned', value: returned })).toMatchObject({
      kind: 'returned',
      expired: false,
    });
    expect(eventOf({ $case: 'leaseExpired', value: base })).toMatchObject({
      kind: 'returned',
      expired: true,
    });
  });

  it.each([
    [8, 'returned'],
    [16, 'duplicate-found'],
  ])('of older servers: kind %i is %s', (field, kind) => {
    const mapped = rawKind(field, [
      [1, base.jobId],
      [5, 'original'],
    ]);
    expect(mapped).toMatchObject({ kind: 'message', message: { event: { kind, jobId: base.jobId } } });
  });

  it.each([14, 19])('of older servers: kind %i says nothing of a state', (field) => {
    const mapped = rawKind(field, [[1, base.jobId]]);
    expect(mapped).toEqual({ kind: 'message', message: { cursor: ID, id: expect.anything() as object } });
  });

  it.each([20, 23, 500])('of a kind that is not known (%i) move the cursor and say nothing', (field) => {
    expect(rawKind(field, [[1, base.jobId]])).toMatchObject({ kind: 'unknown', message: { cursor: ID } });
    expect(toStreamMessage({ id: ID, message: undefined })).toMatchObject({ kind: 'unknown' });
  });

  it('show a rejection by its cause, and a retry by its flag', () => {
    const failed = { ...JobFailedEvent.decode(EMPTY), ...base, reason: 'r' };
    expect(eventOf({ $case: 'failed', value: { ...failed, cause: Cause.Rejected } })).toMatchObject({
      rejected: true,
    });
    expect(eventOf({ $case: 'failed', value: { ...failed, retryable: true } })).toMatchObject({
      retryable: true,
    });
  });

  it('hold exit codes by container, in the current form and the older one', () => {
    const failed = { ...JobFailedEvent.decode(EMPTY), ...base };
    const status = { name: 'main', exitCode: 7, message: '', reason: '', cause: Cause.Error };
    const failure = { exitCodes: { main: 7 } };
    expect(eventOf({ $case: 'failed', value: { ...failed, containerStatuses: [status] } })).toMatchObject({
      failure,
    });
    expect(eventOf({ $case: 'failed', value: { ...failed, exitCodes: { main: 7 } } })).toMatchObject({
      failure,
    });
  });

  it('take the external URI from the annotation', () => {
    const decoded = JobSubmittedEvent.decode(
      JobSubmittedEvent.encode({
        ...JobSubmittedEvent.decode(EMPTY),
        ...base,
        job: {
          ...(EMPTY_JOB as NonNullable<JobSubmittedEvent['job']>),
          annotations: { [EXTERNAL_URI_ANNOTATION]: 'airflow://x' },
        },
      }).finish(),
    );
    expect(eventOf({ $case: 'submitted', value: decoded })).toMatchObject({ externalUri: 'airflow://x' });
  });
});

describe('hostile messages', () => {
  it.each(['', 'x', '1:2', '1:2:3:9', '\u0000'])(
    'with the id "%s" cannot be placed in the stream, and so not read',
    (id) => {
      expect(map({ $case: 'running', value: { ...JobRunningEvent.decode(EMPTY), ...base } }, id).kind).toBe(
        'unreadable',
      );
    },
  );

  it.each(['', 'x'.repeat(2_000), 'a\ufffd'])(
    'that name no usable job (%#) make no event and lose no place',
    (jobId) => {
      const running = { ...JobRunningEvent.decode(EMPTY), ...base, jobId };
      expect(map({ $case: 'running', value: running })).toMatchObject({
        kind: 'malformed',
        message: { cursor: ID },
      });
    },
  );

  it('keep no more of their texts than fits', () => {
    const long = 'ä'.repeat(1_000_000);
    const failed = { ...JobFailedEvent.decode(EMPTY), ...base, reason: long, nodeName: long };
    const event = eventOf({ $case: 'failed', value: failed });
    expect(event?.kind === 'failed' && event.failure.reason.length).toBe(LONGEST_REASON);
    expect(JSON.stringify(event).length).toBeLessThan(LONGEST_REASON + 2_000);
    const cancelled = { ...JobCancelledEvent.decode(EMPTY), ...base, reason: long, requestor: long };
    expect(JSON.stringify(eventOf({ $case: 'cancelled', value: cancelled })).length).toBeLessThan(
      LONGEST_REASON + 2_000,
    );
    expect(LONGEST_EXTERNAL_URI).toBe(1_024);
  });

  it('let go of the long text that they keep the beginning of', () => {
    const MEBI = 1024 * 1024;
    const before = heapUsed();
    const kept = Array.from({ length: 100 }, (_, i) => {
      const reason = Buffer.alloc(MEBI, 97 + (i % 20)).toString();
      return eventOf({ $case: 'failed', value: { ...JobFailedEvent.decode(EMPTY), ...base, reason } });
    });
    expect(heapUsed() - before).toBeLessThan(20 * MEBI);
    expect(kept).toHaveLength(100);
  });

  it.each([
    ['cut off', EventStreamMessage.encode({ id: ID, message: undefined }).finish().subarray(0, 5)],
    ['no protobuf', Buffer.from('<html>502 Bad Gateway</html>')],
    ['of zeros', new Uint8Array(20)],
    ['empty', EMPTY],
  ])('that are %s cannot be read', (_, bytes) => {
    expect(readStreamMessage(bytes).kind).toBe('unreadable');
  });

  it('that are cut off are reported with their length and why', () => {
    const bytes = EventStreamMessage.encode({ id: ID, message: undefined }).finish().subarray(0, 5);
    expect(readStreamMessage(bytes)).toMatchObject({
      reason: expect.stringMatching(/^5 bytes are no event: ./) as string,
    });
  });

  it('never throw, whatever bytes they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readStreamMessage(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it('with times that no clock shows take the time of their entry', () => {
    for (const seconds of ['-5', '99999999999999', '0']) {
      const running = { ...JobRunningEvent.decode(EMPTY), ...base, created: { seconds, nanos: 0 } };
      expect(eventOf({ $case: 'running', value: running })).toMatchObject({ at: 1_795_493_217_053 });
    }
  });
});

const EMPTY_JOB = JobSubmittedEvent.decode(
  new BinaryWriter()
    .uint32((5 << 3) | 2)
    .bytes(EMPTY)
    .finish(),
).job;
