import { OpenCalls } from './open-calls.js';

it('a call that has left leaves no room for one more when it leaves again', () => {
  const sizes: number[] = [];
  const calls = new OpenCalls(2, (open) => sizes.push(open));
  const [first, second] = [calls.enter('a', () => undefined), calls.enter('b', () => undefined)];
  expect(calls.enter('c', () => undefined)).toBeUndefined();
  first?.leave();
  first?.leave();
  expect(calls.enter('c', () => undefined)).toBeDefined();
  expect(calls.enter('d', () => undefined)).toBeUndefined();
  second?.leave();
  expect(sizes).toEqual([1, 2, 1, 2, 1]);
});
