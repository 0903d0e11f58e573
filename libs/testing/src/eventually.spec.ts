import { eventually } from './eventually.js';

/** Has the process stand still, as a machine that stalls does. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('what has not come before a stall that is longer than the deadline may come after it', async () => {
  let looks = 0;
  const look = (): boolean => {
    if (++looks === 1) stall(300);
    return looks > 1;
  };
  expect(await eventually('it comes', look, 100)).toBe(true);
});

it('what does not come in time rejects with what was seen last', async () => {
  const look = (): never => {
    throw new Error('still red');
  };
  await expect(eventually('it is green', look, 50)).rejects.toThrow(
    'not within 50 ms: it is green; last: Error: still red',
  );
});
