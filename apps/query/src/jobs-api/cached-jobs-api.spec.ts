import { LRUCache } from 'lru-cache';
import { ArmadaJobsError, type ArmadaJobs } from '@ajs/armada-client';
import { JobRunState, type JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import type { JobRecord, JobSetKey } from '@ajs/job-state';
import type { JobSetWriter, ProvisionalJob, SubscriptionReport } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { toTimestamp } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { Access } from '../access/access.js';
import { CachedJobsApi } from './cached-jobs-api.js';

const KEY = { queue: 'q', jobSetId: 's' };
const LEASED_AT = 1_795_493_148_000;
const caller = {
  deadline: Infinity,
  isGone: () => false,
  address: () => '',
  certificateName: () => undefined,
  authorization: [],
};
const OPEN = new Access({
  authorizer: { authenticate: () => undefined, mayWatch: () => 'yes' },
  jobsNeedWatch: false,
  queueNamesNeedWatch: false,
  waiting: (found) => found(),
});
const EVENT = { ms: 1, sequence: 0, index: 0, last: true };

/** Armada's own `api.Jobs`, as it would answer, and what it was asked. */
class Upstream implements ArmadaJobs {
  readonly jobs = new Map<string, JobDetails>();
  readonly texts = new Map<string, string>();
  readonly uris = new Map<string, string>();
  readonly calls: [method: string, ...ids: string[]][] = [];
  failure: ArmadaJobsError | undefined;

  status(jobIds: readonly string[]): Promise<Map<string, JobState>> {
    return this.answer('status', jobIds, (id) => this.jobs.get(id)?.state ?? JobState.UNKNOWN);
  }

  details(jobIds: readonly string[]): Promise<Map<string, JobDetails>> {
    return this.answer('details', jobIds, (id) => this.jobs.get(id));
  }

  errors(jobIds: readonly string[]): Promise<Map<string, string>> {
    return this.answer('errors', jobIds, (id) => this.texts.get(id));
  }

  byExternalUri({ externalJobUri }: { externalJobUri: string }): Promise<Map<string, JobState>> {
    const matching = [...this.jobs.keys()].filter((id) => this.uris.get(id) === externalJobUri);
    return this.answer('byExternalUri', matching, (id) => this.jobs.get(id)?.state);
  }

  runDetails(): Promise<never> {
    return Promise.reject(new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown method'));
  }

  activeQueues(): ReturnType<ArmadaJobs['activeQueues']> {
    return Promise.resolve({ activeQueuesByPool: { default: { queues: ['q'] } } });
  }

  private answer<V>(
    method: string,
    ids: readonly string[],
    of: (id: string) => V | undefined,
  ): Promise<Map<string, V>> {
    this.calls.push([method, ...ids]);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return Promise.resolve(
      new Map(
        ids.flatMap((id) => {
          const value = of(id);
          return value === undefined ? [] : [[id, value] as const];
        }),
      ),
    );
  }
}

function details(jobId: string, more: Partial<JobDetails> = {}): JobDetails {
  return {
    jobId,
    queue: KEY.queue,
    jobset: KEY.jobSetId,
    namespace: 'ns',
    state: JobState.RUNNING,
    submittedTs: toTimestamp(LEASED_AT - 1_000),
    cancelTs: undefined,
    cancelReason: '',
    cancelUser: '',
    lastTransitionTs: toTimestamp(LEASED_AT),
    latestRunId: '',
    jobSpec: undefined,
    jobRuns: [],
    ...more,
  };
}

function withRun(jobId: string, runId: string, leasedAt = LEASED_AT): JobDetails {
  const run = {
    runId,
    jobId,
    state: JobRunState.RUN_STATE_RUNNING,
    cluster: 'c',
    node: 'n',
    leasedTs: toTimestamp(leasedAt),
    pendingTs: undefined,
    startedTs: undefined,
    finishedTs: undefined,
    ingressAddresses: {},
  };
  return details(jobId, { latestRunId: runId, jobRuns: [run] });
}

const record = (state: JobRecord['state'], more: Partial<JobRecord> = {}): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: LEASED_AT,
  lastEvent: EVENT,
  ...more,
});
const RUN = { cluster: 'c', node: 'n', leasedAt: LEASED_AT };
const AWAY = new ArmadaJobsError('unavailable', 'UNAVAILABLE: connection refused');
const LIVE = { state: 'live', reason: '', levelAt: 0 } as const;

describe('api.Jobs', () => {
  let now: number;
  let store: MemoryJobStore;
  let writer: JobSetWriter;
  let upstream: Upstream;
  let api: CachedJobsApi;
  let interest: JobSetKey[];
  let redisAway: boolean;

  beforeEach(async () => {
    now = LEASED_AT;
    store = new MemoryJobStore(() => now);
    writer = await store.open(KEY);
    upstream = new Upstream();
    interest = [];
    redisAway = false;
    const redis = <T>(work: () => Promise<T>): Promise<T> =>
      redisAway ? Promise.reject(new Error('connection refused')) : work();
    api = new CachedJobsApi({
      access: OPEN,
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
      maxJobIds: 3,
      redisHoldMs: 0,
      pause: (ms) => sleep(ms),
      provisionalGraceMs: 30_000,
    });
  });

  const write = (records: Record<string, JobRecord>, report: SubscriptionReport = LIVE) =>
    writer.write({ cursor: '1:0:0:1', records: new Map(Object.entries(records)), subscription: report });
  const learn = async (job: Partial<ProvisionalJob>) => {
    await store.addProvisionalJobs(KEY, [{ jobId: 'j', state: 'SUBMITTED', changedAt: now, ...job }]);
    await writer.reload();
  };
  const states = async (...jobIds: string[]) => (await api.getJobStatus({ jobIds }, caller)).jobStates;
  const errors = async (...jobIds: string[]) => (await api.getJobErrors({ jobIds }, caller)).jobErrors;
  const detailsOf = async (jobId: string, expandJobSpec = false, expandJobRun = true) =>
    (await api.getJobDetails({ jobIds: [jobId], expandJobSpec, expandJobRun }, caller)).jobDetails[jobId];
  const withUri = async (externalJobUri: string) =>
    (await api.getJobStatusUsingExternalJobUri({ queue: 'q', jobset: 's', externalJobUri }, caller))
      .jobStates;

  describe('GetJobStatus', () => {
    it('answers for every job asked about, from the cache, in whatever order and however often', async () => {
      await write({ a: record('RUNNING'), b: record('FAILED'), c: record('SUBMITTED') });
      expect(await states('b', 'a', 'b')).toEqual({ a: JobState.RUNNING, b: JobState.FAILED });
      expect(await states('c')).toEqual({ c: JobState.QUEUED });
      expect(upstream.calls).toEqual([]);
      expect(interest).toContainEqual(KEY);
    });

    it('of no jobs is an empty map, of too many INVALID_ARGUMENT', async () => {
      expect(await states()).toEqual({});
      await expect(states('a', 'b', 'c', 'd')).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    });

    it('answers ended jobs from memory, and counts it as interest', async () => {
      await write({ a: record('FAILED') });
      await states('a');
      redisAway = true;
      expect(await states('a')).toEqual({ a: JobState.FAILED });
      expect(interest).toHaveLength(2);
    });

    it('looks up a job that is not known, learns it, and has its job set followed', async () => {
      upstream.jobs.set('x', details('x', { queue: 'other' }));
      expect(await states('x')).toEqual({ x: JobState.RUNNING });
      expect(interest).toEqual([{ queue: 'other', jobSetId: 's' }]);
      expect((await store.locate(['x'])).get('x')).toEqual({ queue: 'other', jobSetId: 's' });
      expect(await states('x')).toEqual({ x: JobState.RUNNING });
      expect(upstream.calls.map(([method]) => method)).toEqual(['details', 'status']);
    });

    it('says UNKNOWN where Armada has just said that there is no such job, and asks once', async () => {
      expect(await states('x', 'y')).toEqual({ x: JobState.UNKNOWN, y: JobState.UNKNOWN });
      expect(await states('x')).toEqual({ x: JobState.UNKNOWN });
      expect(upstream.calls).toEqual([['details', 'x', 'y']]);
    });

    it('is UNAVAILABLE as a whole where one job is neither known nor settled, and says why', async () => {
      await write({ a: record('RUNNING') });
      upstream.failure = AWAY;
      await expect(states('a', 'x')).rejects.toMatchObject({
        code: status.UNAVAILABLE,
        details:
          "job x is not known here, and Armada's own api.Jobs does not settle it: UNAVAILABLE: connection refused",
      });
      expect(await states('a')).toEqual({ a: JobState.RUNNING });
    });

    it('asks Armada about jobs of a job set that cannot be followed', async () => {
      await write({ j: record('RUNNING') }, { state: 'denied', reason: 'no right' });
      upstream.jobs.set('j', details('j', { state: JobState.SUCCEEDED }));
      expect(await states('j')).toEqual({ j: JobState.SUCCEEDED });
    });

    it.each([
      ['status', async () => (await states('j'))['j']],
      ['details', async () => (await detailsOf('j'))?.state],
      ['external URI', async () => (await withUri('airflow://j'))['j']],
    ] as const)('keeps an end that Armada told of such a job, by its %s, for everyone', async (_, ask) => {
      await write({ j: record('RUNNING') }, { state: 'denied', reason: 'no right' });
      upstream.jobs.set('j', details('j', { state: JobState.CANCELLED }));
      upstream.uris.set('j', 'airflow://j');
      expect(await ask()).toBe(JobState.CANCELLED);
      // As another replica reads it, while Armada does not answer.
      expect((await store.read(KEY, ['j'])).jobs.get('j')?.state).toBe('CANCELLED');
    });

    it('leaves the end to the stream where there is one, with all that it tells', async () => {
      await write({ j: record('RUNNING') }, { state: 'connecting', reason: '' });
      upstream.jobs.set('j', details('j', { state: JobState.CANCELLED }));
      expect(await states('j')).toEqual({ j: JobState.CANCELLED });
      expect((await store.read(KEY, ['j'])).jobs.get('j')?.state).toBe('RUNNING');
    });

    it('keeps the last known state where Armada does not answer, or does not know the job', async () => {
      await write({ j: record('RUNNING') }, { state: 'gone', reason: 'no such queue' });
      expect(await states('j')).toEqual({ j: JobState.RUNNING });
      upstream.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown service');
      expect(await states('j')).toEqual({ j: JobState.RUNNING });
    });

    it('shows a learned job as queued, until its stream should have shown it: then Armada decides', async () => {
      await write({});
      await learn({});
      expect(await states('j')).toEqual({ j: JobState.QUEUED });
      expect(upstream.calls).toEqual([]);
      now += 30_000;
      await write({});
      expect(await states('j')).toEqual({ j: JobState.UNKNOWN });
    });

    it('while Redis is away comes from Armada, and is UNAVAILABLE where that is away too', async () => {
      await write({ j: record('RUNNING') });
      redisAway = true;
      upstream.jobs.set('j', details('j', { state: JobState.PENDING }));
      expect(await states('j')).toEqual({ j: JobState.PENDING });
      upstream.failure = AWAY;
      await expect(states('j')).rejects.toMatchObject({
        code: status.UNAVAILABLE,
        details: expect.stringContaining('Redis does not answer, and neither does Armada') as string,
      });
    });
  });

  describe('GetJobErrors', () => {
    const failure = { reason: 'Container main failed', exitCodes: { main: 1 } };

    it('tells what the stream told', async () => {
      await write({
        f: record('FAILED', { failure }),
        r: record('REJECTED', { failure: { reason: 'does not fit' } }),
        s: record('SUCCEEDED', { failure }),
      });
      expect(await errors('f', 'r', 's')).toEqual({ f: 'Container main failed', r: 'does not fit', s: '' });
      expect(upstream.calls).toEqual([]);
    });

    it('asks Armada once where the scheduler gave the job up in words of its own', async () => {
      await write({ j: record('FAILED', { failure: { reason: 'Retry policy: limit exceeded' } }) });
      upstream.texts.set('j', 'what the run said');
      expect(await errors('j')).toEqual({ j: 'what the run said' });
      expect(await errors('j')).toEqual({ j: 'what the run said' });
      expect(upstream.calls).toEqual([['errors', 'j']]);
    });

    it('keeps to the stream where Armada is away, or has nothing yet', async () => {
      await write({ j: record('FAILED', { failure: { reason: 'gave up' } }) });
      upstream.texts.set('j', '');
      expect(await errors('j')).toEqual({ j: 'gave up' });
      upstream.failure = AWAY;
      expect(await errors('j')).toEqual({ j: 'gave up' });
    });

    it('leaves out what does not exist, and is UNAVAILABLE where nobody says whether it does', async () => {
      upstream.texts.set('x', 'boom');
      expect(await errors('x', 'y')).toEqual({ x: 'boom' });
      upstream.failure = AWAY;
      await expect(errors('x')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    });
  });

  describe('GetJobDetails', () => {
    it('fetches the id of a run once, and tells the rest from the cache', async () => {
      await write({ j: record('RUNNING', { run: RUN, namespace: 'ns' }) });
      upstream.jobs.set('j', withRun('j', 'run-1'));
      for (let i = 0; i < 3; i++) {
        expect(await detailsOf('j')).toMatchObject({
          jobId: 'j',
          queue: 'q',
          jobset: 's',
          namespace: 'ns',
          state: JobState.RUNNING,
          latestRunId: 'run-1',
          jobRuns: [{ runId: 'run-1', cluster: 'c', node: 'n', state: JobRunState.RUN_STATE_RUNNING }],
        });
      }
      expect(upstream.calls).toEqual([['details', 'j']]);
    });

    it('does not take the run before for the latest', async () => {
      await write({ j: record('LEASED', { run: RUN, runNumber: 2 }) });
      upstream.jobs.set('j', withRun('j', 'run-1', LEASED_AT - 60_000));
      expect(await detailsOf('j')).toMatchObject({ latestRunId: '', jobRuns: [] });
      // Not shown yet: asked for again only after a while.
      await detailsOf('j');
      expect(upstream.calls).toHaveLength(1);
    });

    it('fetches why a job was cancelled once', async () => {
      await write({ j: record('CANCELLED', { cancellation: { reason: '', requestor: 'me' } }) });
      const cancelTs = toTimestamp(LEASED_AT);
      upstream.jobs.set('j', details('j', { cancelTs, cancelReason: 'enough', cancelUser: 'alice' }));
      for (let i = 0; i < 2; i++) {
        expect(await detailsOf('j')).toMatchObject({
          state: JobState.CANCELLED,
          cancelTs,
          cancelReason: 'enough',
          cancelUser: 'alice',
        });
      }
      expect(upstream.calls).toHaveLength(1);
    });

    it('come from the cache, without a run, where Armada is away or does not have the method', async () => {
      await write({ j: record('RUNNING', { run: RUN }) });
      for (const kind of ['unavailable', 'unsupported'] as const) {
        upstream.failure = new ArmadaJobsError(kind, 'no');
        expect(await detailsOf('j')).toMatchObject({
          state: JobState.RUNNING,
          latestRunId: '',
          jobRuns: [],
        });
      }
    });

    it('hold the job’s spec where it was asked for, and runs only where they were', async () => {
      await write({ j: record('RUNNING', { run: RUN }) });
      const spec = { ...withRun('j', 'run-1'), jobSpec: { id: 'j' } as JobDetails['jobSpec'] };
      upstream.jobs.set('j', spec);
      expect(await detailsOf('j', true, false)).toMatchObject({
        jobSpec: { id: 'j' },
        latestRunId: 'run-1',
        jobRuns: [],
      });
    });

    it('of a job that is not known are Armada’s, and the job is learned', async () => {
      upstream.jobs.set('x', withRun('x', 'run-1'));
      expect(await detailsOf('x')).toEqual(withRun('x', 'run-1'));
      expect(await detailsOf('y')).toBeUndefined();
      expect((await store.locate(['x'])).get('x')).toEqual(KEY);
    });
  });

  describe('GetJobStatusUsingExternalJobUri', () => {
    it('tells what Armada finds, with the cache’s newer states, and what was learned on submit', async () => {
      await write({ a: record('SUCCEEDED'), b: record('RUNNING', { externalUri: 'u' }) });
      await learn({ jobId: 'c', externalUri: 'u' });
      for (const id of ['a', 'x']) {
        upstream.jobs.set(id, details(id, { state: JobState.PENDING }));
        upstream.uris.set(id, 'u');
      }
      // b has the annotation, but Armada does not find it by it: a URI of its own wins.
      expect(await withUri('u')).toEqual({
        a: JobState.SUCCEEDED,
        x: JobState.PENDING,
        c: JobState.QUEUED,
      });
    });

    it('is UNAVAILABLE while Armada is away: an empty map would submit the job again', async () => {
      await write({ b: record('RUNNING', { externalUri: 'u' }) });
      upstream.failure = AWAY;
      await expect(withUri('u')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    });

    it('is the cache’s word where Armada does not have the method', async () => {
      await write({ b: record('RUNNING', { externalUri: 'u' }) });
      upstream.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown method');
      expect(await withUri('u')).toEqual({ b: JobState.RUNNING });
    });

    it('refuses an empty URI, queue or job set', async () => {
      await expect(withUri('')).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: 'external_job_uri is empty',
      });
      const request = { queue: '', jobset: 's', externalJobUri: 'u' };
      await expect(api.getJobStatusUsingExternalJobUri(request, caller)).rejects.toMatchObject({
        details: 'queue is empty',
      });
    });
  });

  it('passes on what only Armada can tell', async () => {
    expect(await api.getActiveQueues({}, caller)).toEqual({
      activeQueuesByPool: { default: { queues: ['q'] } },
    });
    await expect(api.getJobRunDetails({ runIds: ['r'] }, caller)).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });
});
