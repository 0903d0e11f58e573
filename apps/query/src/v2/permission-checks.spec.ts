import { ManualClock } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import { PermissionChecks } from './permission-checks.js';

const EVERY_MS = 60_000;
/** A check may be so late. */
const LATE_MS = EVERY_MS / 10;

let clock: ManualClock;
/** Keys of the callers that were checked, with the queue. */
let checked: string[];
let verdict: () => Promise<'yes'>;
let checks: PermissionChecks;
beforeEach(() => {
  clock = new ManualClock();
  checked = [];
  verdict = () => Promise.resolve('yes');
  const toQueue = ({ key }: { readonly key: string }, queue: string) => {
    checked.push(`${key} ${queue}`);
    return verdict();
  };
  checks = new PermissionChecks({ toQueue }, EVERY_MS, clock);
});

/** A token that says that it expires after this time. */
function tokenFor(ms: number): string {
  const claims = Buffer.from(JSON.stringify({ exp: (clock.wall() + ms) / 1_000 })).toString('base64url');
  return `Bearer e30.${claims}.c2ln`;
}

function open(
  key: string,
  queues = ['q'],
  authorization: readonly string[] = [],
): { readonly ends: RpcError[]; readonly close: () => void } {
  const ends: RpcError[] = [];
  const call = {
    caller: testCaller({ key, authorization }),
    queues,
    end: (why: RpcError) => ends.push(why),
  };
  checks.add(call);
  return { ends, close: () => checks.delete(call) };
}

it('checks each call on all its queues, again and again, as long after its own begin', async () => {
  open('a', ['q', 'r']);
  await clock.pass(EVERY_MS / 2);
  open('b');
  await clock.pass(EVERY_MS / 2);
  expect(checked).toEqual(['a q', 'a r']);
  await clock.pass(EVERY_MS / 2);
  expect(checked).toEqual(['a q', 'a r', 'b q']);
  await clock.pass(EVERY_MS / 2);
  expect(checked).toEqual(['a q', 'a r', 'b q', 'a q', 'a r']);
});

it('has one timer, however many calls are open, and none where none is', async () => {
  expect(clock.timers).toBe(0);
  const calls = Array.from({ length: 1_000 }, (_, i) => open(`caller-${i}`));
  expect(clock.timers).toBe(1);
  await clock.pass(EVERY_MS);
  expect([checked.length, clock.timers]).toEqual([1_000, 1]);
  for (const { close } of calls) close();
  expect(clock.timers).toBe(0);
});

it('ends a call whose caller is denied, and no other', async () => {
  const denied = open('denied');
  const other = open('other');
  verdict = () =>
    checked.at(-1) === 'denied q'
      ? Promise.reject(new RpcError(status.PERMISSION_DENIED, 'no'))
      : Promise.resolve('yes');
  await clock.pass(EVERY_MS);
  expect(denied.ends).toMatchObject([{ code: status.PERMISSION_DENIED }]);
  expect(other.ends).toEqual([]);
});

it.each([
  ['the authorizer does not answer', new RpcError(status.UNAVAILABLE, 'no verdict')],
  ['the check runs into a defect', new Error('defect')],
])('lets a call go on where %s', async (_, error) => {
  const { ends } = open('a');
  verdict = () => Promise.reject(error);
  await clock.pass(EVERY_MS);
  expect([checked, ends]).toEqual([['a q'], []]);
});

it('checks a call when its credential expires, and then as often as others', async () => {
  open('a', ['q'], [tokenFor(20_000)]);
  await clock.pass(19_999);
  expect(checked).toEqual([]);
  await clock.pass(LATE_MS);
  expect(checked).toEqual(['a q']);
  await clock.pass(EVERY_MS - LATE_MS);
  expect(checked).toEqual(['a q']);
  await clock.pass(2 * LATE_MS);
  expect(checked).toEqual(['a q', 'a q']);
});

it('ends a call whose credential has expired where the authorizer does not answer, and no sooner', async () => {
  const { ends } = open('a', ['q'], [tokenFor(EVERY_MS + 20_000)]);
  verdict = () => Promise.reject(new RpcError(status.UNAVAILABLE, 'no verdict'));
  await clock.pass(EVERY_MS + 19_999);
  expect([checked, ends]).toEqual([['a q'], []]);
  await clock.pass(LATE_MS);
  expect(ends).toMatchObject([
    {
      code: status.UNAUTHENTICATED,
      details: 'the credentials (authorization) have expired; call again with new ones',
    },
  ]);
});

it('checks a call no more that has ended', async () => {
  open('a').close();
  open('b');
  await clock.pass(EVERY_MS);
  expect(checked).toEqual(['b q']);
});
