import { JobId } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import { Generation } from '@ajs/redis-keys';
import { JobListeners, type JobListener } from './job-listeners.js';

const [A, B] = [JobId('a'), JobId('b')];
const changed = (jobId: JobId): ChangedJob => ({ jobId, generation: Generation('g'), revision: 1 });

let listeners: JobListeners;
let told: string[];
beforeEach(() => {
  listeners = new JobListeners();
  told = [];
});

const listener = (name: string, act: () => void = () => undefined): JobListener => ({
  job: ({ jobId }) => {
    told.push(`${name} of ${jobId}`);
    act();
  },
});

it('calls each listener of a job, and no other', () => {
  const [first, second] = [listener('first'), listener('second')];
  listeners.add(A, first);
  listeners.add(B, first);
  listeners.add(A, second);
  listeners.add(A, listener('third'));
  listeners.tell(changed(B));
  expect(told).toEqual(['first of b']);
  listeners.tell(changed(A));
  expect(told.slice(1)).toEqual(['first of a', 'second of a', 'third of a']);
});

it('no longer calls a listener that has ended its listening, and forgets a job without listeners', () => {
  const [first, second] = [listener('first'), listener('second')];
  for (const each of [first, second]) listeners.add(A, each);
  listeners.delete(A, first);
  listeners.tell(changed(A));
  expect(told).toEqual(['second of a']);
  listeners.delete(A, first);
  expect([listeners.has(A), listeners.isEmpty]).toEqual([true, false]);
  listeners.delete(A, second);
  expect([listeners.has(A), listeners.isEmpty]).toEqual([false, true]);
});

it('keeps the listener of a job when another ends a listening that it never began', () => {
  listeners.add(A, listener('first'));
  listeners.delete(A, listener('second'));
  listeners.tell(changed(A));
  expect(told).toEqual(['first of a']);
});

it('calls a listener that listens twice once', () => {
  const twice = listener('twice');
  for (const each of [twice, twice]) listeners.add(A, each);
  listeners.tell(changed(A));
  expect(told).toEqual(['twice of a']);
});

it('lets a listener end its listening while it is called, and still calls the others', () => {
  const leaving = listener('leaving', () => listeners.delete(A, leaving));
  listeners.add(A, leaving);
  listeners.add(A, listener('other'));
  for (let time = 0; time < 2; time++) listeners.tell(changed(A));
  expect(told).toEqual(['leaving of a', 'other of a', 'other of a']);
});
