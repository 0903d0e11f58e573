import { MonotonicTime, addMs } from '@ajs/job-state';
import { ManualClock, oldGenerationGrowth } from '@ajs/testing';
import { LiveCalls, type TimedCall } from './live-calls.js';

let clock: ManualClock;
let calls: LiveCalls;
let expired: string[];

beforeEach(() => {
  clock = new ManualClock();
  calls = new LiveCalls(clock);
  expired = [];
});

afterEach(() => calls.stop());

function callWith(name: string, ms: number) {
  const call = {
    place: 0,
    deadline: addMs(clock.monotonic(), ms),
    isOver: false,
    expiredAt: undefined as MonotonicTime | undefined,
    expire(): void {
      expired.push(name);
      call.isOver = true;
      call.expiredAt = clock.monotonic();
    },
    endIfLate: (): void => undefined,
  };
  calls.add(call);
  return call;
}

it('deadlines pass in their order, whichever call came first, and none before its time', () => {
  const made = [
    callWith('late', 60),
    callWith('early', 20),
    callWith('never', Infinity),
    callWith('last', 90),
  ];
  clock.advance(1_000);
  expect(expired).toEqual(['early', 'late', 'last']);
  for (const { deadline, expiredAt } of made) expect((expiredAt ?? deadline) >= deadline).toBe(true);
});

it('the deadline of a call that is over, or has closed, does not pass', () => {
  callWith('over', 1).isOver = true;
  calls.delete(callWith('closed', 1));
  callWith('open', 20);
  clock.advance(1_000);
  expect(expired).toEqual(['open']);
});

it('looks for late callers once a second, and less often the more calls are open', () => {
  let looks = 0;
  const open = () =>
    calls.add({
      place: 0,
      deadline: MonotonicTime(Infinity),
      isOver: false,
      expire: () => undefined,
      endIfLate: () => looks++,
    });
  open();
  clock.advance(3_500);
  expect(looks).toBe(3);
  const OPEN = 10_000;
  for (let n = 1; n < OPEN; n++) open();
  // The next look was due before they came.
  clock.advance(1_000);
  looks = 0;
  clock.advance(10_000);
  expect(looks / OPEN).toBe(5);
});

it('sets no timer any more once it is stopped', () => {
  callWith('open', 20);
  calls.stop();
  expect(clock.timers).toBe(0);
  clock.advance(1_000);
  expect(expired).toEqual([]);
});

it('looks through the open calls the less often the more there are, however many deadlines pass', () => {
  let looks = 0;
  const idleCall = () => ({
    place: 0,
    deadline: MonotonicTime(Infinity),
    get isOver(): boolean {
      looks++;
      return false;
    },
    expire: (): void => undefined,
    endIfLate: (): void => undefined,
  });
  const OPEN = 2_000;
  for (let n = 0; n < OPEN; n++) calls.add(idleCall());
  for (let ms = 10; ms <= 300; ms++) callWith(`after ${ms} ms`, ms);
  clock.advance(1_000);
  expect(expired).toHaveLength(291);
  // One for each 25 ms, where it would be one for each 5 ms.
  expect(looks / OPEN).toBeLessThanOrEqual(15);
});

const callWithoutEnd = (): TimedCall => ({
  place: 0,
  deadline: MonotonicTime(Infinity),
  isOver: false,
  expire: () => undefined,
  endIfLate: () => undefined,
});

it('a call that leaves while all are looked at makes none be left out', () => {
  const left: string[] = [];
  const all = ['a', 'b', 'c', 'd'].map((name) => {
    const call = {
      ...callWithoutEnd(),
      deadline: addMs(clock.monotonic(), 1),
      expire: () => {
        left.push(name);
        calls.delete(call);
        // Whatever it takes with it.
        if (name === 'd') calls.delete(all[0] ?? call);
      },
    };
    calls.add(call);
    return call;
  });
  clock.advance(100);
  expect(left.sort()).toEqual(['b', 'c', 'd']);
});

it('calls that have closed are collected while they are young', async () => {
  const open: (TimedCall | undefined)[] = new Array<undefined>(16).fill(undefined);
  const pass = (): void => {
    for (let n = 0; n < 1_000; n++) {
      const call = { ...callWithoutEnd(), twoKilobytes: new Array(250).fill(n) as number[] };
      calls.add(call);
      const closed = open[n % open.length];
      if (closed !== undefined) calls.delete(closed);
      open[n % open.length] = call;
    }
  };
  // Of 48 MB, where V8 moves 5 MB anyway.
  expect(await oldGenerationGrowth(pass)).toBeLessThan(20_000_000);
});
