import type { Authorizer, Verdict } from '@ajs/auth';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Caller } from '../caller.js';
import { Admission } from '../load/admission.js';
import { Access } from './access.js';

const KNOWN = 'Bearer known';
/** Known, and not what it may watch. */
const NEW = 'Bearer new';
const UNKNOWN = 'Bearer unknown';
const LIMITS = { working: 3, waiting: 12 };

const as = (authorization: string): Caller => ({
  deadline: Infinity,
  isGone: () => false,
  address: () => '',
  certificateName: () => undefined,
  authorization: [authorization],
});

describe('while Armada does not say what some may watch', () => {
  let admission: Admission;
  let access: Access;
  let answer: (verdict: Verdict) => void;

  beforeEach(() => {
    admission = new Admission(LIMITS, () => undefined);
    const hanging = new Promise<Verdict>((resolve) => (answer = resolve));
    const authorizer: Authorizer = {
      authenticate: ({ authorization }) => {
        if (authorization === UNKNOWN) return hanging.then(() => undefined);
      },
      mayWatch: ({ authorization }) => (authorization === KNOWN ? 'yes' : hanging),
    };
    access = new Access({
      authorizer,
      jobsNeedWatch: true,
      queueNamesNeedWatch: true,
      waiting: (found) => admission.waiting(found),
    });
  });

  const byQueue = (who: string) => admission.run(as(who), () => access.toQueue(as(who), 'q'));
  const byId = (who: string, queues = ['q']) =>
    admission.run(as(who), async () => (await access.toJobs(as(who))).allowedQueues(queues));

  it('calls whose verdict is kept go on, however many wait for one', async () => {
    const waiting: Promise<unknown>[] = [];
    while (waiting.length < LIMITS.waiting) {
      waiting.push(...[byQueue(UNKNOWN), byId(UNKNOWN), byId(NEW)]);
      // The next call comes later.
      await nextTurn();
      expect(await byQueue(KNOWN)).toBe('yes');
      expect(await byId(KNOWN)).toEqual(new Set(['q']));
    }
    await expect(byQueue(UNKNOWN)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('MAX_WAITING_CALLS') as string,
    });
    expect(await byQueue(KNOWN)).toBe('yes');
    answer('yes');
    await Promise.all(waiting);
  });

  it('a call over many queues waits as one', async () => {
    const many = Array.from({ length: 50 }, (_, i) => `q${i}`);
    const waiting = byId(NEW, many);
    await nextTurn();
    const kept = [byId(KNOWN, many), byId(KNOWN, many), byQueue(KNOWN)];
    await expect(byQueue(KNOWN)).rejects.toMatchObject({
      details: expect.stringContaining('MAX_CONCURRENT_CALLS') as string,
    });
    answer('yes');
    expect(await waiting).toEqual(new Set(many));
    await Promise.all(kept);
  });
});
