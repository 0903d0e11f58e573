import { ArmadaTime, Cursor, JobId } from '@ajs/job-state';
import { AuthError, type Authorizer, type Verdict } from '@ajs/auth';
import { JobState } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { testCaller } from '../testing/test-caller.js';
import type { CachedJobsApi } from './cached-jobs-api.js';
import { ARMADA_UNAVAILABLE } from './testing/fake-armada-jobs.js';
import { JobsApiHarness, jobRecord } from './testing/jobs-api-harness.js';

const WATCHER = 'Bearer watcher';
const STRANGER = 'Bearer stranger';

const ACTIVE = { cpu: { queues: ['hidden', 'q', 'lost'] }, gpu: { queues: ['hidden'] } };

let running = 0;
let mostRunning: number;

/** Counts how many checks run at a time. */
async function counted<T>(check: Promise<T>): Promise<T> {
  mostRunning = Math.max(mostRunning, ++running);
  await nextTurn();
  running--;
  return check;
}

/** Two callers are authenticated: one may watch queues `q…`, the other none. Nobody may watch `hidden`; `lost` does not exist. */
const authorizer: Authorizer = {
  identityOf: () => undefined,
  authenticate: ({ authorization }) =>
    authorization === WATCHER || authorization === STRANGER
      ? Promise.resolve()
      : Promise.reject(new AuthError('unauthenticated', 'you sent no credentials')),
  mayWatch: ({ authorization }, queue) => {
    if (queue === 'away') return Promise.reject(new AuthError('unavailable', 'Armada does not say'));
    if (queue === 'lost') return Promise.resolve('no-queue');
    return counted(
      Promise.resolve<Verdict>(queue.startsWith('q') && authorization === WATCHER ? 'yes' : 'no'),
    );
  },
};

const as = (authorization?: string): Caller =>
  testCaller(authorization === undefined ? {} : { authorization: [authorization] });

describe('api.Jobs and the permissions of its callers', () => {
  let h: JobsApiHarness;

  const harness = async (jobsNeedWatch = true, queueNamesNeedWatch = false): Promise<JobsApiHarness> => {
    const access = new Access({
      authorizer,
      jobsNeedWatch,
      queueNamesNeedWatch,
      waiting: (_, found) => found(),
    });
    const made = new JobsApiHarness({ access, maxJobIds: 250 });
    for (const queue of ['q', 'hidden', 'lost', 'away']) {
      const writer = await made.store.open({ queue, jobSetId: 's' });
      const records = new Map([
        [JobId(`in-${queue}`), jobRecord('RUNNING')],
        [JobId(`ended-in-${queue}`), jobRecord('FAILED')],
      ]);
      const subscription = { state: 'live', reason: '' } as const;
      await writer.write({ cursor: Cursor('1:0:0:1'), records, subscription });
      for (const jobId of [`in-${queue}`, `only-armada-in-${queue}`]) made.armada.add(jobId, { queue });
    }
    for (const jobId of made.armada.jobs.keys()) made.armada.errorTexts.set(jobId, 'out of memory');
    made.armada.add('with-uri');
    made.armada.externalUris.set('with-uri', 'u');
    made.armada.activeQueuesByPool = ACTIVE;
    return made;
  };

  beforeEach(async () => {
    mostRunning = 0;
    h = await harness();
  });

  type Request = (api: CachedJobsApi, jobIds: string[], caller: Caller) => Promise<unknown>;
  const byId: [string, Request][] = [
    ['GetJobStatus', (api, jobIds, caller) => api.getJobStatus({ jobIds }, caller)],
    ['GetJobErrors', (api, jobIds, caller) => api.getJobErrors({ jobIds }, caller)],
    [
      'GetJobDetails',
      (api, jobIds, caller) => api.getJobDetails({ jobIds, expandJobSpec: true, expandJobRun: true }, caller),
    ],
  ];

  describe.each(byId)('%s', (_, request) => {
    it.each([undefined, 'Bearer unknown', 'Basic bm8gY29sb24=', 'Basic sécret'])(
      'reads nothing for a caller with authorization %s',
      async (authorization) => {
        await expect(request(h.api, ['in-q', 'only-armada-in-q'], as(authorization))).rejects.toMatchObject({
          code: status.UNAUTHENTICATED,
        });
        expect([h.armada.calls, h.redisReads, h.interest]).toEqual([[], 0, []]);
      },
    );

    it.each(['in-hidden', 'ended-in-hidden', 'only-armada-in-hidden'])(
      'is denied as a whole where %s is among the jobs, naming its id but not its queue, and follows nothing',
      async (jobId) => {
        for (const who of [WATCHER, STRANGER]) {
          await expect(request(h.api, [jobId], as(who))).rejects.toMatchObject({
            code: status.PERMISSION_DENIED,
            details: expect.stringMatching(`(?=.*"${jobId}")(?!.*queue "?hidden)`) as string,
          });
        }
        await expect(request(h.api, ['in-q', jobId], as(WATCHER))).rejects.toMatchObject({
          code: status.PERMISSION_DENIED,
        });
        expect(h.interest.filter(({ queue }) => queue === 'hidden')).toEqual([]);
        expect(h.armada.calls.map(([method]) => method)).not.toContain('errors');
      },
    );

    it('is denied for a terminal job that is in memory since another caller asked for it', async () => {
      await request(h.api, ['ended-in-q'], as(WATCHER));
      h.interest.length = 0;
      await expect(request(h.api, ['ended-in-q'], as(STRANGER))).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
      expect(h.interest).toEqual([]);
    });

    it('records a job, and has its job set followed, for the first caller who may see it', async () => {
      const jobIds = [JobId('only-armada-in-q')];
      await expect(request(h.api, jobIds, as(STRANGER))).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
      expect(h.interest).toEqual([]);
      expect(await h.store.locate(jobIds)).toEqual(new Map());
      await request(h.api, jobIds, as(WATCHER));
      expect(h.interest).toContainEqual({ queue: 'q', jobSetId: 's' });
      expect((await h.store.locate(jobIds)).get(JobId('only-armada-in-q'))).toEqual({
        queue: 'q',
        jobSetId: 's',
      });
    });

    it.each(['lost', 'away'])(
      'is UNAVAILABLE where permission for queue %s cannot be checked',
      async (queue) => {
        for (const jobId of [`in-${queue}`, `only-armada-in-${queue}`]) {
          await expect(request(h.api, [jobId], as(WATCHER))).rejects.toMatchObject({
            code: status.UNAVAILABLE,
          });
        }
      },
    );

    it('checks permissions also while Redis is unavailable', async () => {
      h.redisFailure = new Error('Connection is closed.');
      await expect(request(h.api, ['only-armada-in-hidden'], as(WATCHER))).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
      await request(h.api, ['only-armada-in-q'], as(WATCHER));
    });

    it('answers every authenticated caller where authentication is enough', async () => {
      const { api } = await harness(false);
      await request(api, ['in-hidden', 'ended-in-hidden', 'only-armada-in-hidden'], as(STRANGER));
      await expect(request(api, ['in-hidden'], as())).rejects.toMatchObject({
        code: status.UNAUTHENTICATED,
      });
    });
  });

  describe('a job that the cache has in another queue than Armada', () => {
    const KEY = { queue: 'q', jobSetId: 's' };
    const byUri = () =>
      h.api.getJobStatusUsingExternalJobUri({ queue: 'q', jobset: 's', externalJobUri: 'u' }, as(WATCHER));

    /** Polled later than its stream may take to show it. */
    const addToCache = async (jobId: string, queue: string): Promise<void> => {
      h.armada.add(jobId, { queue });
      const changedAt = ArmadaTime(h.now);
      const job = { jobId: JobId(jobId), state: 'SUBMITTED', changedAt, externalUri: 'u' } as const;
      await h.store.addProvisionalJobs(KEY, [job]);
      h.now += 60_000;
    };

    // GetJobErrors asks Armada of no cached job but one that has ended, which is in its job set by Armada's own word.
    const asksArmada = byId.filter(([method]) => method !== 'GetJobErrors');
    it.each(asksArmada)('is judged by the queue that Armada names: %s', async (_, request) => {
      await addToCache('elsewhere', 'hidden');
      await expect(request(h.api, ['elsewhere'], as(WATCHER))).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
        details: expect.stringContaining('"elsewhere"') as string,
      });
      expect(h.interest.filter(({ queue }) => queue === 'hidden')).toEqual([]);
    });

    it('is judged likewise when it is found by its URI', async () => {
      await addToCache('here', 'q');
      expect(await byUri()).toEqual({
        jobStates: { here: JobState.RUNNING, 'with-uri': JobState.RUNNING },
      });
      await addToCache('elsewhere', 'hidden');
      await expect(byUri()).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
      h.redisFailure = new Error('Connection is closed.');
      h.armada.externalUris.set('elsewhere', 'u');
      await expect(byUri()).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    });

    it('is read where the request for its URI says that it is, whatever the job index says', async () => {
      h.armada.add('in-q', { state: JobState.PENDING });
      h.armada.externalUris.set('in-q', 'u');
      const report = { state: 'PENDING', at: ArmadaTime(h.now) } as const;
      await h.store.report({ queue: 'hidden', jobSetId: 's' }, new Map([[JobId('in-q'), report]]));
      expect((await byUri()).jobStates).toMatchObject({ 'in-q': JobState.RUNNING });
    });
  });

  it('checks the many queues of one call a few at a time', async () => {
    const jobIds = Array.from({ length: 250 }, (_, i) => `j${i}`);
    for (const jobId of jobIds) h.armada.add(jobId, { queue: `q-of-${jobId}` });
    const { states } = await h.api.getJobStatus({ jobIds }, as(WATCHER));
    expect(states).toHaveLength(250);
    const runIds = jobIds.map((jobId) => `run-of-${jobId}`);
    const { jobRunDetails } = await h.api.getJobRunDetails({ runIds }, as(WATCHER));
    expect(Object.keys(jobRunDetails)).toHaveLength(250);
    expect(mostRunning).toBe(10);
  });

  it('answers GetJobStatus for the jobs that the caller may see, and UNKNOWN for those that do not exist', async () => {
    const request = { jobIds: ['in-q', 'only-armada-in-q', 'none'] };
    const { states } = await h.api.getJobStatus(request, as(WATCHER));
    expect(states).toEqual([JobState.RUNNING, JobState.RUNNING, JobState.UNKNOWN]);
  });

  it('leaves out of GetJobRunDetails the runs of jobs that the caller may not see', async () => {
    const runIds = ['run-of-only-armada-in-q', 'run-of-only-armada-in-hidden', 'run-of-none'];
    const runsFor = async (who: string, ...asked: string[]): Promise<string[]> =>
      Object.keys((await h.api.getJobRunDetails({ runIds: asked }, as(who))).jobRunDetails);
    expect(await runsFor(WATCHER, ...runIds)).toEqual(['run-of-only-armada-in-q']);
    expect(await runsFor(STRANGER, ...runIds)).toEqual([]);
    for (const runId of runIds) expect(await runsFor(STRANGER, runId)).toEqual([]);
    expect(h.interest).toEqual([]);
    await expect(h.api.getJobRunDetails({ runIds }, as())).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
  });

  describe('GetActiveQueues', () => {
    it.each([false, true])(
      'answers authenticated callers alone (restricted to queues they may watch: %s)',
      async (byQueue) => {
        const { api, armada } = await harness(true, byQueue);
        await api.getActiveQueues({}, as(STRANGER));
        armada.calls.length = 0;
        await expect(api.getActiveQueues({}, as())).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
        expect(armada.calls).toEqual([]);
      },
    );

    it('answers all queues where Armada authenticates callers, else those that the caller may watch', async () => {
      const queuesFor = async (byQueue: boolean, who: string) =>
        (await (await harness(true, byQueue)).api.getActiveQueues({}, as(who))).activeQueuesByPool;
      for (const who of [WATCHER, STRANGER]) expect(await queuesFor(false, who)).toEqual(ACTIVE);
      expect(await queuesFor(true, WATCHER)).toEqual({ cpu: { queues: ['q'] } });
      expect(await queuesFor(true, STRANGER)).toEqual({});
    });
  });

  describe('GetJobStatusUsingExternalJobUri', () => {
    const request = ({ api }: JobsApiHarness, queue: string, who?: string) =>
      api.getJobStatusUsingExternalJobUri({ queue, jobset: 's', externalJobUri: 'u' }, as(who));

    it('reads nothing of a queue that the caller may not watch, and names the queue', async () => {
      for (const who of [WATCHER, STRANGER]) {
        await expect(request(h, 'hidden', who)).rejects.toMatchObject({
          code: status.PERMISSION_DENIED,
          details: expect.stringContaining('queue "hidden"') as string,
        });
      }
      expect([h.armada.calls, h.redisReads, h.interest]).toEqual([[], 0, []]);
    });

    it('is UNAVAILABLE for a queue that does not exist: on an empty answer Airflow submits again', async () => {
      await expect(request(h, 'lost', WATCHER)).rejects.toMatchObject({ code: status.UNAVAILABLE });
      expect([h.armada.calls, h.redisReads]).toEqual([[], 0]);
    });

    it('answers a caller who may watch the queue', async () => {
      expect(await request(h, 'q', WATCHER)).toEqual({ jobStates: { 'with-uri': JobState.RUNNING } });
    });

    it('answers every authenticated caller where authentication is enough', async () => {
      const open = await harness(false);
      expect(await request(open, 'hidden', STRANGER)).toEqual({
        jobStates: { 'with-uri': JobState.RUNNING },
      });
      await expect(request(open, 'hidden')).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    });
  });

  it('asks Armada for no error text of a job whose queue it did not name', async () => {
    h.armada.failure = ARMADA_UNAVAILABLE;
    await expect(
      h.api.getJobErrors({ jobIds: ['only-armada-in-hidden'] }, as(STRANGER)),
    ).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(h.armada.calls).toEqual([['details', 'only-armada-in-hidden']]);
  });
});
