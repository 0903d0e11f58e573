import { jest } from '@jest/globals';
import { addMs } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import { TOO_SLOW, inTime } from './second-witness.js';

type Waiting = Parameters<typeof inTime>[2];
const waiting: Waiting = (_, work) => work();

describe('the wait for a look-up in Armada’s api.Jobs', () => {
  it('brings what it finds, while its caller counts as waiting', async () => {
    const callers: unknown[] = [];
    const counted: Waiting = (caller, work) => {
      callers.push(caller);
      return work();
    };
    const caller = testCaller();
    expect(await inTime(() => Promise.resolve('found'), caller, counted)).toBe('found');
    expect(callers).toEqual([caller]);
  });

  it.each([
    ['2 s', Infinity, 2_000],
    ['what the caller’s deadline leaves, with 100 ms for the way', 1_000, 900],
  ])('lasts no longer than %s', async (_, deadlineMs, ms) => {
    jest.useFakeTimers();
    try {
      const caller = testCaller({ deadline: addMs(monotonicNow(), deadlineMs) });
      let found: unknown;
      void inTime(() => new Promise(() => undefined), caller, waiting).then((report) => (found = report));
      await jest.advanceTimersByTimeAsync(ms - 1);
      expect(found).toBeUndefined();
      await jest.advanceTimersByTimeAsync(1);
      expect(found).toBe(TOO_SLOW);
    } finally {
      jest.useRealTimers();
    }
  });

  it('does not begin where too many calls wait, which is the reason that is given', async () => {
    let isAsked = false;
    const full: Waiting = () => Promise.reject(new RpcError(status.RESOURCE_EXHAUSTED, 'too many'));
    const report = await inTime(() => Promise.resolve((isAsked = true)), testCaller(), full);
    expect([report, isAsked]).toEqual([{ kind: 'unanswered', reason: 'too many' }, false]);
  });

  it('fails with a defect', async () => {
    const defect = new TypeError('undefined is not a function');
    await expect(inTime(() => Promise.reject(defect), testCaller(), waiting)).rejects.toBe(defect);
  });
});
