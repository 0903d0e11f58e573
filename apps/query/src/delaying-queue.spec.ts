import { ManualClock } from '@ajs/testing';
import { DelayingQueue } from './delaying-queue.js';

const TICK_MS = 100;

let clock: ManualClock;
let taken: string[];
let queue: DelayingQueue<string>;
beforeEach(() => {
  clock = new ManualClock();
  taken = [];
  queue = new DelayingQueue(TICK_MS, (due) => taken.push(...due), clock);
});

it('gives each thing once, when it is due', async () => {
  queue.addAfter('late', 300);
  queue.addAfter('early', 200);
  await clock.pass(200);
  expect(taken).toEqual(['early']);
  await clock.pass(500);
  expect(taken).toEqual(['early', 'late']);
});

it('gives together what is due at a tick, in the order in which it was added', async () => {
  for (const item of ['a', 'b', 'c']) queue.addAfter(item, 100);
  queue.addAfter('a', 50);
  await clock.pass(100);
  expect(taken).toEqual(['b', 'c', 'a']);
});

it('gives a thing that is added once more at its new time alone', async () => {
  queue.addAfter('a', 100);
  queue.addAfter('a', 300);
  await clock.pass(200);
  expect(taken).toEqual([]);
  await clock.pass(300);
  expect(taken).toEqual(['a']);
});

it('gives nothing that was removed', async () => {
  queue.addAfter('a', 100);
  queue.addAfter('b', 100);
  queue.remove('a');
  await clock.pass(100);
  expect(taken).toEqual(['b']);
});

it('has one timer, however much is in it, and none while it is empty', async () => {
  queue.remove('none');
  expect(clock.timers).toBe(0);
  for (const item of ['a', 'b', 'c']) queue.addAfter(item, 100);
  expect(clock.timers).toBe(1);
  queue.remove('c');
  await clock.pass(100);
  expect([taken, clock.timers]).toEqual([['a', 'b'], 0]);
  queue.addAfter('a', 100);
  expect(clock.timers).toBe(1);
  queue.remove('a');
  expect(clock.timers).toBe(0);
});
