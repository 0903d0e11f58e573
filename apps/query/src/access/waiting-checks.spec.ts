import type { Authorizer, Verdict } from '@ajs/auth';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Caller } from '../caller.js';
import { testCaller } from '../testing/test-caller.js';
import { Admission } from '../load/admission.js';
import { Access } from './access.js';

/** Its verdict is cached. */
const CACHED = 'Bearer cached';
/** Authenticated, without a verdict on the queue. */
const AUTHENTICATED = 'Bearer authenticated';
const UNKNOWN = 'Bearer unknown';
const LIMITS = { working: 3, waiting: 12 };

let calls = 0;
/** A call of another caller each time, so that no share is used up. */
const as = (authorization: string): Caller =>
  testCaller({ key: `caller ${calls++}`, authorization: [authorization] });

describe('while Armada does not answer permission checks', () => {
  let admission: Admission;
  let access: Access;
  let answer: (verdict: Verdict) => void;

  beforeEach(() => {
    admission = new Admission(LIMITS, () => undefined);
    const hanging = new Promise<Verdict>((resolve) => (answer = resolve));
    const authorizer: Authorizer = {
      identityOf: () => undefined,
      authenticate: ({ authorization }) => {
        if (authorization === UNKNOWN) return hanging.then(() => undefined);
      },
      mayWatch: ({ authorization }) => (authorization === CACHED ? 'yes' : hanging),
    };
    access = new Access({
      authorizer,
      jobsNeedWatch: true,
      queueNamesNeedWatch: true,
      waiting: (who, verdict) => admission.waiting(who, verdict),
    });
  });

  const byQueue = (who: string) => {
    const call = as(who);
    return admission.run(call, async () => access.toQueue(call, 'q'));
  };
  const byId = (who: string, queues = ['q']) => {
    const call = as(who);
    return admission.run(call, async () => (await access.toJobs(call)).allowedQueues(queues));
  };

  it('calls with a cached verdict go on, however many wait for one', async () => {
    const waiting: Promise<unknown>[] = [];
    while (waiting.length < LIMITS.waiting) {
      waiting.push(...[byQueue(UNKNOWN), byId(UNKNOWN), byId(AUTHENTICATED)]);
      // The next call comes later.
      await nextTurn();
      expect(await byQueue(CACHED)).toBe('yes');
      expect(await byId(CACHED)).toEqual(new Set(['q']));
    }
    await expect(byQueue(UNKNOWN)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('MAX_WAITING_CALLS') as string,
    });
    expect(await byQueue(CACHED)).toBe('yes');
    answer('yes');
    await Promise.all(waiting);
  });

  it('a call over many queues counts as one that waits', async () => {
    const many = Array.from({ length: 50 }, (_, i) => `q${i}`);
    const waiting = byId(AUTHENTICATED, many);
    await nextTurn();
    const answered = [byId(CACHED, many), byId(CACHED, many), byQueue(CACHED)];
    await expect(byQueue(CACHED)).rejects.toMatchObject({
      details: expect.stringContaining('MAX_CONCURRENT_CALLS') as string,
    });
    answer('yes');
    expect(await waiting).toEqual(new Set(many));
    await Promise.all(answered);
  });
});
