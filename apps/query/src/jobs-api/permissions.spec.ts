import { LRUCache } from 'lru-cache';
import { AuthError, type Authorizer, type Verdict } from '@ajs/auth';
import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { JobDetails, JobRunDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { MonotonicTime, type JobSetKey } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { CachedJobsApi } from './cached-jobs-api.js';

const WATCHER = 'Bearer watcher';
const STRANGER = 'Bearer stranger';
const NOTHING = new Uint8Array();

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

/** Two who are known: one may watch queues `q…`, the other none. No one may watch `hidden`, and nobody knows `lost`. */
const authorizer: Authorizer = {
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

const as = (authorization?: string): Caller => ({
  deadline: Infinity,
  isGone: () => false,
  address: () => '',
  certificateName: () => undefined,
  authorization: authorization === undefined ? [] : [authorization],
});

/** What Armada's own `api.Jobs` is asked, under our identity, and answers. */
class Upstream implements ArmadaJobs {
  readonly jobs = new Map<string, string>();
  readonly calls: string[] = [];

  status = (jobIds: readonly string[]) =>
    this.answer('status', jobIds, (_, queue) => (queue === undefined ? JobState.UNKNOWN : JobState.RUNNING));
  details = (jobIds: readonly string[]) =>
    this.answer('details', jobIds, (jobId, queue) =>
      queue === undefined
        ? undefined
        : { ...JobDetails.decode(NOTHING), jobId, queue, jobset: 's', state: JobState.RUNNING },
    );
  errors = (jobIds: readonly string[]) =>
    this.answer('errors', jobIds, (_, queue) => (queue === undefined ? undefined : 'out of memory'));
  byExternalUri = () => this.answer('byExternalUri', ['known'], () => JobState.RUNNING);
  runDetails = (runIds: readonly string[]) =>
    this.answer('runDetails', runIds, (runId) => ({
      ...JobRunDetails.decode(NOTHING),
      runId,
      jobId: runId.replace('run-of-', ''),
    }));
  activeQueues = () => {
    this.calls.push('activeQueues');
    return Promise.resolve({ activeQueuesByPool: ACTIVE });
  };

  private answer<V>(
    method: string,
    ids: readonly string[],
    of: (id: string, queue: string | undefined) => V | undefined,
  ): Promise<Map<string, V>> {
    this.calls.push(method);
    const answers = new Map<string, V>();
    for (const id of ids) {
      const value = of(id, this.jobs.get(id));
      if (value !== undefined) answers.set(id, value);
    }
    return Promise.resolve(answers);
  }
}

describe('api.Jobs and the rights of its callers', () => {
  let store: MemoryJobStore;
  let upstream: Upstream;
  let interest: JobSetKey[];
  let redisAway: boolean;
  let looks: number;

  beforeEach(async () => {
    store = new MemoryJobStore();
    upstream = new Upstream();
    interest = [];
    redisAway = false;
    looks = mostRunning = 0;
    for (const queue of ['q', 'hidden', 'lost', 'away']) {
      const writer = await store.open({ queue, jobSetId: 's' });
      const ended = `ended-in-${queue}`;
      const records = new Map([
        [`in-${queue}`, { state: 'RUNNING', runNumber: 1, changedAt: 1 } as const],
        [ended, { state: 'FAILED', runNumber: 1, changedAt: 1 } as const],
      ]);
      await writer.write({
        cursor: '1:0:0:1',
        records,
        subscription: { state: 'live', reason: '', syncedAt: MonotonicTime(0) },
      });
      for (const jobId of [`in-${queue}`, `only-armada-in-${queue}`]) upstream.jobs.set(jobId, queue);
    }
  });

  function api(jobsNeedWatch = true, queueNamesNeedWatch = false): CachedJobsApi {
    const redis = <T>(work: () => Promise<T>): Promise<T> => {
      looks++;
      return redisAway ? Promise.reject(new Error('connection refused')) : work();
    };
    return new CachedJobsApi({
      access: new Access({ authorizer, jobsNeedWatch, queueNamesNeedWatch, waiting: (found) => found() }),
      lister: {
        read: (key, ids) => redis(() => store.read(key, ids)),
        locate: (ids) => redis(() => store.locate(ids)),
        readDetails: (key, ids) => redis(() => store.readDetails(key, ids)),
        readUri: (key, uri) => redis(() => store.readUri(key, uri)),
      },
      provisionalJobs: store,
      armada: upstream,
      noteInterest: (key) => interest.push(key),
      terminalJobs: new LRUCache({ max: 10 }),
      redisFailed: () => undefined,
      maxJobIds: 250,
      redisHoldMs: 0,
      pause: (ms) => sleep(ms),
      provisionalGraceMs: 30_000,
    });
  }

  const byId: [string, (jobs: CachedJobsApi, jobIds: string[], who: Caller) => Promise<unknown>][] = [
    ['GetJobStatus', (jobs, jobIds, who) => jobs.getJobStatus({ jobIds }, who)],
    ['GetJobErrors', (jobs, jobIds, who) => jobs.getJobErrors({ jobIds }, who)],
    [
      'GetJobDetails',
      (jobs, jobIds, who) => jobs.getJobDetails({ jobIds, expandJobSpec: true, expandJobRun: true }, who),
    ],
  ];

  describe.each(byId)('%s', (_, ask) => {
    it.each([undefined, 'Bearer unknown', 'Basic bm8gY29sb24=', 'Basic sécret'])(
      'looks nothing up for a caller with authorization %s',
      async (authorization) => {
        await expect(ask(api(), ['in-q', 'only-armada-in-q'], as(authorization))).rejects.toMatchObject({
          code: status.UNAUTHENTICATED,
        });
        expect([upstream.calls, looks, interest]).toEqual([[], 0, []]);
      },
    );

    it.each(['in-hidden', 'ended-in-hidden', 'only-armada-in-hidden'])(
      'is refused as a whole where %s is among the jobs, by its id and not its queue, and follows nothing',
      async (jobId) => {
        const jobs = api();
        for (const who of [WATCHER, STRANGER]) {
          await expect(ask(jobs, [jobId], as(who))).rejects.toMatchObject({
            code: status.PERMISSION_DENIED,
            details: expect.stringMatching(`(?=.*"${jobId}")(?!.*queue "?hidden)`) as string,
          });
        }
        await expect(ask(jobs, ['in-q', jobId], as(WATCHER))).rejects.toMatchObject({
          code: status.PERMISSION_DENIED,
        });
        expect(interest.filter(({ queue }) => queue === 'hidden')).toEqual([]);
        expect(upstream.calls).not.toContain('errors');
      },
    );

    it('is refused where memory has an ended job for somebody else', async () => {
      const jobs = api();
      await ask(jobs, ['ended-in-q'], as(WATCHER));
      interest.length = 0;
      await expect(ask(jobs, ['ended-in-q'], as(STRANGER))).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
      expect(interest).toEqual([]);
    });

    it('learns a job, and follows its job set, for the first who may be told of it', async () => {
      const jobs = api();
      const asked = ['only-armada-in-q'];
      await expect(ask(jobs, asked, as(STRANGER))).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
      expect(interest).toEqual([]);
      expect(await store.locate(asked)).toEqual(new Map());
      await ask(jobs, asked, as(WATCHER));
      expect(interest).toContainEqual({ queue: 'q', jobSetId: 's' });
      expect((await store.locate(asked)).get('only-armada-in-q')).toEqual({ queue: 'q', jobSetId: 's' });
    });

    it.each(['lost', 'away'])('is UNAVAILABLE where nobody says who may watch queue %s', async (queue) => {
      for (const jobId of [`in-${queue}`, `only-armada-in-${queue}`]) {
        await expect(ask(api(), [jobId], as(WATCHER))).rejects.toMatchObject({ code: status.UNAVAILABLE });
      }
    });

    it('keeps to it while Redis is away', async () => {
      redisAway = true;
      const jobs = api();
      await expect(ask(jobs, ['only-armada-in-hidden'], as(WATCHER))).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
      await ask(jobs, ['only-armada-in-q'], as(WATCHER));
    });

    it('is for everyone who is known where that is enough', async () => {
      const jobs = api(false);
      await ask(jobs, ['in-hidden', 'ended-in-hidden', 'only-armada-in-hidden'], as(STRANGER));
      await expect(ask(jobs, ['in-hidden'], as())).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    });
  });

  it('a call over many queues has few of them checked at a time, and is answered', async () => {
    const jobIds = Array.from({ length: 250 }, (_, i) => `j${i}`);
    for (const jobId of jobIds) upstream.jobs.set(jobId, `q-of-${jobId}`);
    const { jobStates } = await api().getJobStatus({ jobIds }, as(WATCHER));
    expect(Object.keys(jobStates)).toHaveLength(250);
    const runIds = jobIds.map((jobId) => `run-of-${jobId}`);
    const { jobRunDetails } = await api().getJobRunDetails({ runIds }, as(WATCHER));
    expect(Object.keys(jobRunDetails)).toHaveLength(250);
    expect(mostRunning).toBe(10);
  });

  it('GetJobStatus tells one who may watch of what there is, and is UNKNOWN where there is nothing', async () => {
    const asked = { jobIds: ['in-q', 'only-armada-in-q', 'none'] };
    expect(await api().getJobStatus(asked, as(WATCHER))).toEqual({
      jobStates: {
        'in-q': JobState.RUNNING,
        'only-armada-in-q': JobState.RUNNING,
        none: JobState.UNKNOWN,
      },
    });
  });

  it('GetJobRunDetails leaves out runs of jobs that are not for the caller', async () => {
    const runIds = ['run-of-only-armada-in-q', 'run-of-only-armada-in-hidden', 'run-of-none'];
    const runsFor = async (who: string) =>
      Object.keys((await api().getJobRunDetails({ runIds }, as(who))).jobRunDetails);
    expect(await runsFor(WATCHER)).toEqual(['run-of-only-armada-in-q']);
    expect(await runsFor(STRANGER)).toEqual([]);
    expect(interest).toEqual([]);
    await expect(api().getJobRunDetails({ runIds }, as())).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
  });

  describe('GetActiveQueues', () => {
    it.each([false, true])('is for those who are known (by queues of theirs: %s)', async (byQueue) => {
      const jobs = api(true, byQueue);
      await jobs.getActiveQueues({}, as(STRANGER));
      upstream.calls.length = 0;
      await expect(jobs.getActiveQueues({}, as())).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
      expect(upstream.calls).toEqual([]);
    });

    it('tells all queues where Armada decides who is known, and else those that the caller may watch', async () => {
      const told = async (byQueue: boolean, who: string) =>
        (await api(true, byQueue).getActiveQueues({}, as(who))).activeQueuesByPool;
      for (const who of [WATCHER, STRANGER]) expect(await told(false, who)).toEqual(ACTIVE);
      expect(await told(true, WATCHER)).toEqual({ cpu: { queues: ['q'] } });
      expect(await told(true, STRANGER)).toEqual({});
    });
  });

  describe('GetJobStatusUsingExternalJobUri', () => {
    const ask = (queue: string, who?: string, jobsNeedWatch = true) =>
      api(jobsNeedWatch).getJobStatusUsingExternalJobUri(
        { queue, jobset: 's', externalJobUri: 'u' },
        as(who),
      );

    it('looks nothing up in a queue that the caller may not watch, and names it', async () => {
      for (const who of [WATCHER, STRANGER]) {
        await expect(ask('hidden', who)).rejects.toMatchObject({
          code: status.PERMISSION_DENIED,
          details: expect.stringContaining('queue "hidden"') as string,
        });
      }
      expect([upstream.calls, looks, interest]).toEqual([[], 0, []]);
    });

    it('is UNAVAILABLE for a queue that nobody knows: on an empty answer Airflow submits again', async () => {
      await expect(ask('lost', WATCHER)).rejects.toMatchObject({ code: status.UNAVAILABLE });
      expect([upstream.calls, looks]).toEqual([[], 0]);
    });

    it('is answered to one who may watch', async () => {
      expect(await ask('q', WATCHER)).toEqual({ jobStates: { known: JobState.RUNNING } });
    });

    it('is answered to everyone who is known where that is enough', async () => {
      expect(await ask('hidden', STRANGER, false)).toEqual({ jobStates: { known: JobState.RUNNING } });
      await expect(ask('hidden', undefined, false)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    });
  });

  it('whatever Armada does, its words are for those who may hear them', async () => {
    upstream.details = () => Promise.reject(new ArmadaJobsError('unavailable', 'UNAVAILABLE: no'));
    await expect(
      api().getJobErrors({ jobIds: ['only-armada-in-hidden'] }, as(STRANGER)),
    ).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(upstream.calls).toEqual([]);
  });
});
