import { MonotonicTime, addMs } from '@ajs/job-state';
import { ManualClock } from '@ajs/testing';
import { LiveCalls } from './live-calls.js';

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
