import { Metadata, status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { Admission } from '../load/admission.js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import { OpenStreams, withResumeToken, type OpenCall, type OpenMethod } from './open-streams.js';
import type { CheckedCall } from './permission-checks.js';

let admission: Admission;
/** Whose permissions are checked. */
let checked: Set<CheckedCall>;
let counts: string[];
let streams: OpenStreams;
beforeEach(() => {
  admission = new Admission({ working: 1, waiting: 1 }, () => undefined);
  checked = new Set();
  counts = [];
  streams = new OpenStreams({
    checks: { add: (call) => checked.add(call), delete: (call) => checked.delete(call) },
    admission,
    maxWaits: 1,
    maxWatches: 2,
    maxJobs: 10,
    refused: () => undefined,
    onCount: (method, open) => counts.push(`${method} ${open}`),
  });
});

interface TestCall extends OpenCall {
  readonly ends: status[];
}

function callOf(method: OpenMethod, jobCount = 1, caller: Partial<Caller> = {}): TestCall {
  const ends: status[] = [];
  const end = ({ code }: RpcError) => ends.push(code);
  return { method, jobCount, caller: testCaller({ key: method, ...caller }), queues: ['q'], ends, end };
}

it('an open call takes no place among those that are processed, and gives its own back once', async () => {
  const call = callOf('waitForJobs');
  await admission.run(call.caller, async () => {
    streams.enter(call);
    await admission.run(testCaller({ key: 'another' }), () => Promise.resolve());
    streams.leave(call);
    await expect(admission.run(testCaller({ key: 'another' }), () => Promise.resolve())).rejects.toThrow(
      'MAX_CONCURRENT_CALLS',
    );
  });
  await admission.run(testCaller({ key: 'another' }), () => Promise.resolve());
});

it('an open call is checked and counted until it ends, and is ended no more after that', async () => {
  const call = callOf('watchJobs');
  await streams.run(call, () => {
    expect([...checked]).toEqual([call]);
    return Promise.resolve();
  });
  await expect(streams.run(call, () => Promise.reject(new Error('why')))).rejects.toThrow('why');
  streams.stop();
  expect([checked.size, call.ends]).toEqual([0, []]);
  expect(counts).toEqual(['watchJobs 1', 'watchJobs 0', 'watchJobs 1', 'watchJobs 0']);
});

it('waits have their limit, and watches of both kinds theirs together', () => {
  streams.enter(callOf('waitForJobs'));
  expect(() => streams.enter(callOf('waitForJobs', 1, { key: 'b' }))).toThrow('MAX_OPEN_WAITS');
  streams.enter(callOf('watchJobs'));
  streams.enter(callOf('watchJobSet', 0));
  expect(() => streams.enter(callOf('watchJobSet', 0, { key: 'b' }))).toThrow('MAX_OPEN_WATCHES');
});

it('a call that names too many jobs leaves no place taken', () => {
  expect(() => streams.enter(callOf('waitForJobs', 11))).toThrow('MAX_AWAITED_JOBS');
  streams.enter(callOf('waitForJobs'));
});

it('a call gives back its place, and the jobs that it names', async () => {
  for (let time = 0; time < 5; time++) await streams.run(callOf('waitForJobs', 5), () => Promise.resolve());
});

it('a call is ended as soon as its caller goes', () => {
  let leave = (): void => undefined;
  const call = callOf('watchJobs', 1, { whenGone: (listener) => (leave = listener) });
  streams.enter(call);
  leave();
  expect(call.ends).toEqual([status.CANCELLED]);
});

it('a call of a caller that has gone takes nothing', () => {
  expect(() => streams.enter(callOf('waitForJobs', 1, { isGone: () => true }))).toThrow(
    expect.objectContaining({ code: status.CANCELLED }) as Error,
  );
  expect([checked.size, counts]).toEqual([0, []]);
});

it('a call that comes while the process stops is ended at once, and those that are open are', () => {
  const [open, late] = [callOf('watchJobs'), callOf('watchJobSet')];
  streams.enter(open);
  streams.stop();
  streams.enter(late);
  expect([open.ends, late.ends]).toEqual([[status.UNAVAILABLE], [status.UNAVAILABLE]]);
});

it('the token that resumes a stream is sent beside the other trailers of its error, which are left as they are', () => {
  const trailers = new Metadata();
  trailers.set('other', 'x');
  const { code, details, metadata } = withResumeToken(new RpcError(status.UNAVAILABLE, 'why', trailers), 't');
  expect([code, details, metadata?.getMap()]).toEqual([
    status.UNAVAILABLE,
    'why',
    { other: 'x', 'resume-token': 't' },
  ]);
  expect(trailers.getMap()).toEqual({ other: 'x' });
});
