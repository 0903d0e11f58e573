import { AuthError, type Authorizer, type Credential, type Verdict } from '@ajs/auth';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Access, type AccessOptions } from './access.js';

const ALICE = 'Bearer token-of-alice';

let presented: Credential[];
let verdicts: Record<string, Verdict>;
beforeEach(() => {
  presented = [];
  verdicts = {};
});

function access(options: Partial<AccessOptions> = {}): Access {
  const authorizer: Authorizer = {
    identityOf: () => undefined,
    authenticate: (credential) => void presented.push(credential),
    mayWatch: (credential, queue) => {
      presented.push(credential);
      return verdicts[queue] ?? 'no';
    },
  };
  return new Access({
    authorizer,
    jobsNeedWatch: true,
    queueNamesNeedWatch: true,
    waiting: (_, verdict) => verdict(),
    ...options,
  });
}

/** A call with these values of `authorization`, on a connection with this certificate. */
const call = (authorization: string[], certificate?: string) => ({
  key: 'a caller',
  authorization,
  certificateName: () => certificate,
});

describe('the credential of a call', () => {
  it('is its authorization, and the name in the certificate of its connection only where it has none', async () => {
    const one = access();
    await one.toJobs(call([], 'robot'));
    await one.toJobs(call([]));
    await one.toJobs(call([ALICE], 'robot'));
    expect(presented).toEqual([
      { authorization: undefined, certificateName: 'robot' },
      { authorization: undefined, certificateName: undefined },
      { authorization: ALICE },
    ]);
  });

  it('is parsed once, however many calls carry it and whatever others come between', async () => {
    const one = access();
    for (const authorization of [ALICE, ALICE, 'Bearer other', ALICE])
      await one.toJobs(call([authorization]));
    const [first, second, , last] = presented;
    expect(second).toBe(first);
    expect(last).toBe(first);
  });

  it('is malformed where there are two, also where the first was well-formed in the call before', async () => {
    const one = access();
    for (let i = 0; i < 2; i++) {
      await one.toJobs(call([ALICE]));
      await expect(one.toJobs(call([ALICE, 'Bearer other']))).rejects.toMatchObject({
        code: status.UNAUTHENTICATED,
        details: 'the authorization occurs more than once',
      });
    }
    expect(presented).toHaveLength(2);
  });
});

describe('what a caller may see', () => {
  it('is every job where being authenticated is enough, and those of its queues where it is not', async () => {
    expect(await access({ jobsNeedWatch: false }).toJobsOf(call([ALICE]), 'his')).toBe('yes');
    await expect(access().toJobsOf(call([ALICE]), 'his')).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    verdicts = { hers: 'yes' };
    expect(await access().toJobsOf(call([ALICE]), 'hers')).toBe('yes');
  });

  it.each([9, 10, 11, 20, 21])('is known of every one of %i queues', async (count) => {
    const queues = Array.from({ length: count }, (_, i) => `q${i}`);
    verdicts = Object.fromEntries(queues.map((queue) => [queue, 'yes']));
    const permissions = await access().toJobs(call([ALICE]));
    expect(await permissions.allowedQueues([...queues, 'his'])).toEqual(new Set(queues));
  });

  it('is checked of ten queues at a time, since checks of one credential are limited', async () => {
    let [running, most] = [0, 0];
    const mayWatch = async (): Promise<Verdict> => {
      most = Math.max(most, ++running);
      await nextTurn();
      running--;
      return 'yes';
    };
    const authorizer = { identityOf: () => undefined, authenticate: () => undefined, mayWatch };
    const permissions = await access({ authorizer }).toJobs(call([ALICE]));
    await permissions.allowedQueues(Array.from({ length: 50 }, (_, i) => `q${i}`));
    expect(most).toBe(10);
  });

  it.each([
    ['unauthenticated', status.UNAUTHENTICATED],
    ['unavailable', status.UNAVAILABLE],
  ] as const)('is an error where the check is %s', async (kind, code) => {
    const failed = Promise.reject(new AuthError(kind, 'why'));
    failed.catch(() => undefined);
    const one = access({
      authorizer: { identityOf: () => undefined, authenticate: () => failed, mayWatch: () => failed },
    });
    const who = call([ALICE]);
    const checks = [() => one.authenticate(who), () => one.toQueue(who, 'q'), () => one.toJobs(who)];
    for (const check of checks) await expect(check()).rejects.toMatchObject({ code, details: 'why' });
  });

  it('is not known of jobs while Armada does not know one of their queues; its name is not shown', async () => {
    verdicts = { hers: 'yes', new: 'no-queue' };
    const permissions = await access().toJobs(call([ALICE]));
    await expect(permissions.allowedQueues(['hers', 'new'])).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details:
        'cannot check permissions: the queue of a requested job does not exist in Armada; if it was created a moment ago, retry',
    });
    const names = await access().toQueueNames(call([ALICE]));
    expect(await names.allowedQueues(['hers', 'new', 'his'])).toEqual(new Set(['hers']));
  });
});
