import { Cursor, JobId } from '@ajs/job-state';
import { ArmadaJobsError } from '@ajs/armada-client';
import { JobRunDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { eventually } from '@ajs/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Access } from '../access/access.js';
import { testCaller } from '../testing/test-caller.js';
import { ARMADA_UNAVAILABLE } from './testing/fake-armada-jobs.js';
import { JobsApiHarness, KEY, jobRecord } from './testing/jobs-api-harness.js';

const REASON = 'the stored record cannot be read: a newer version of this service gave it state number 13';

describe('api.Jobs', () => {
  let h: JobsApiHarness;
  const requests = [
    ['GetJobStatus', async (...jobIds: string[]): Promise<unknown> => h.states(...jobIds)],
    ['GetJobErrors', async (...jobIds: string[]): Promise<unknown> => h.errors(...jobIds)],
    [
      'GetJobDetails',
      async (...jobIds: string[]): Promise<unknown> => Promise.all(jobIds.map((id) => h.details(id))),
    ],
    ['GetJobStatusUsingExternalJobUri', async (): Promise<unknown> => h.byUri('u')],
  ] as const;

  beforeEach(() => {
    h = new JobsApiHarness();
  });

  it('passes on what only Armada can answer', async () => {
    h.armada.activeQueuesByPool = { default: { queues: ['q'] }, idle: { queues: [] } };
    expect(await h.api.getActiveQueues({}, testCaller())).toEqual({
      activeQueuesByPool: h.armada.activeQueuesByPool,
    });
    const { jobRunDetails } = await h.api.getJobRunDetails({ runIds: ['run-of-a-job'] }, testCaller());
    expect(Object.keys(jobRunDetails)).toEqual(['run-of-a-job']);
    expect(h.armada.calls).toEqual([['activeQueues'], ['runDetails', 'run-of-a-job']]);
    h.armada.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown method');
    await expect(h.api.getJobRunDetails({ runIds: ['r'] }, testCaller())).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });

  it.each([
    ...requests.slice(0, 3),
    [
      'GetJobRunDetails',
      (runId: string): Promise<unknown> => h.api.getJobRunDetails({ runIds: [runId] }, testCaller()),
    ] as const,
  ])('%s rejects an id that is longer than any of Armada, before it is looked up', async (_, request) => {
    await expect(request('x'.repeat(64))).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringMatching(/^(job|run)_ids\[0\] is longer than 63 bytes$/) as string,
    });
    expect([h.redisReads, h.armada.calls, h.redisFailures]).toEqual([0, [], []]);
  });

  it.each(requests.filter(([method]) => method !== 'GetJobErrors'))(
    '%s answers a terminal state that Armada reports only once it is in Redis: no later answer may show an earlier one',
    async (_, request) => {
      await h.write({ j: jobRecord('RUNNING') }, { state: 'denied', reason: 'no watch permission' });
      h.armada.add('j', { state: JobState.FAILED });
      h.armada.externalUris.set('j', 'u');
      const report = h.store.report.bind(h.store);
      let record: (() => void) | undefined;
      h.store.report = async (...args) => {
        await new Promise<void>((resolve) => (record = resolve));
        return report(...args);
      };
      let isAnswered = false;
      const answer = request('j').finally(() => (isAnswered = true));
      await eventually('it is being recorded', () => record !== undefined);
      await nextTurn();
      expect(isAnswered).toBe(false);
      record?.();
      expect(JSON.stringify(await answer)).toContain(`:${JobState.FAILED}`);
      expect((await h.store.read(KEY, [JobId('j')])).jobs.get(JobId('j'))?.state).toBe('FAILED');
    },
  );

  it('checks permission for a queue, and notes a job set as polled, once in a call, read or from memory', async () => {
    const checked: string[] = [];
    const mayWatch = (_: unknown, queue: string): 'yes' => {
      checked.push(queue);
      return 'yes';
    };
    h = new JobsApiHarness({
      access: new Access({
        authorizer: { identityOf: () => undefined, authenticate: () => undefined, mayWatch },
        jobsNeedWatch: true,
        queueNamesNeedWatch: false,
        waiting: (_, found) => found(),
      }),
      maxJobIds: 100,
    });
    const keys = ['a', 'b'].map((queue) => ({ queue, jobSetId: 's' }));
    for (const key of keys) {
      const writer = await h.store.open(key);
      const records = Array.from({ length: 10 }, (_, i) => {
        return [JobId(`${key.queue}-${i}`), jobRecord(i < 5 ? 'RUNNING' : 'FAILED')] as const;
      });
      const subscription = { state: 'live', reason: '' } as const;
      await writer.write({ cursor: Cursor('1:0:0:1'), records: new Map(records), subscription });
    }
    const mixed = (from: number, to: number): string[] =>
      Array.from({ length: to - from }, (_, i) => [`a-${from + i}`, `b-${from + i}`]).flat();
    for (const [jobIds, reads] of [
      [mixed(0, 10), 3],
      [mixed(5, 10), 0],
    ] as const) {
      [h.redisReads, h.interest.length, checked.length] = [0, 0, 0];
      const states = Object.values(await h.states(...jobIds));
      expect(states).toEqual(
        jobIds.map((jobId) => (jobId.slice(2) < '5' ? JobState.RUNNING : JobState.FAILED)),
      );
      expect([h.redisReads, h.interest, checked]).toEqual([reads, keys, ['a', 'b']]);
    }
  });

  it('notes a job set as polled once in a call, though its jobs that are in memory were read one by one', async () => {
    const locate = h.store.locate.bind(h.store);
    // As from Redis: each look-up has a key of its own.
    h.store.locate = async (jobIds) =>
      new Map(Array.from(await locate(jobIds), ([jobId, key]) => [jobId, { ...key }]));
    await h.write({ a: jobRecord('FAILED'), b: jobRecord('FAILED') });
    await h.states('a');
    await h.states('b');
    h.interest.length = 0;
    await h.states('a', 'b');
    expect(h.interest).toEqual([KEY]);
  });

  it('answers a job that a call names several times, from memory, Redis and Armada', async () => {
    h = new JobsApiHarness({ maxJobIds: 10 });
    await h.write({ ended: jobRecord('FAILED'), running: jobRecord('RUNNING') });
    h.armada.add('new', { state: JobState.PENDING });
    await h.states('ended');
    const jobIds = ['ended', 'running', 'new', 'none', 'none', 'new', 'running', 'ended'];
    const { FAILED, RUNNING, PENDING, UNKNOWN } = JobState;
    expect(await h.api.getJobStatus({ jobIds }, testCaller())).toEqual({
      jobIds,
      states: [FAILED, RUNNING, PENDING, UNKNOWN, UNKNOWN, PENDING, RUNNING, FAILED],
    });
    expect(h.armada.calls).toEqual([['details', 'new', 'none']]);
  });

  it('judges each provisional job by its own age, beside jobs in the same state that the stream has shown', async () => {
    const SUBMITTED = jobRecord('SUBMITTED');
    await h.write({ shown: SUBMITTED });
    await h.addProvisional({ jobId: JobId('old') });
    h.now += 31_000;
    await h.addProvisional({ jobId: JobId('young') });
    await h.write({ shown: { ...SUBMITTED, runNumber: 2 } });
    const { QUEUED, UNKNOWN } = JobState;
    for (const [jobIds, states] of [
      [['shown', 'young', 'old'], { shown: QUEUED, young: QUEUED, old: UNKNOWN }],
      [['young', 'old', 'shown'], { shown: QUEUED, young: QUEUED, old: UNKNOWN }],
    ] as const) {
      expect(await h.states(...jobIds)).toEqual(states);
    }
    expect(h.armada.calls).toEqual([['details', 'old']]);
  });

  it.each([
    ['shown', 'told'],
    ['told', 'shown'],
  ])(
    'asks Armada for a job that only it has in its state, and not for one that the stream has shown so',
    async (...jobIds) => {
      await h.write({ shown: jobRecord('RUNNING'), told: jobRecord('RUNNING', { reported: {} }) });
      for (const jobId of jobIds) h.armada.add(jobId, { state: JobState.SUCCEEDED });
      expect(await h.states(...jobIds)).toEqual({ shown: JobState.RUNNING, told: JobState.SUCCEEDED });
      expect(h.armada.calls).toEqual([['details', 'told']]);
    },
  );

  describe('where Redis cannot serve the call', () => {
    it.each([
      ['is unavailable', 'connect ECONNREFUSED 127.0.0.1:6379', 'Redis is unavailable'],
      ['denies access', 'NOPERM this user has no permissions', 'Redis denies access to this service'],
    ])(
      'since it %s, answers from Armada, and is UNAVAILABLE where that fails too',
      async (_, message, cause) => {
        await h.write({ j: jobRecord('RUNNING') });
        h.redisFailure = Object.assign(new Error(message), { code: /E[A-Z]{4,}/.exec(message)?.[0] });
        h.armada.add('j', { state: JobState.PENDING });
        expect(await h.states('j')).toEqual({ j: JobState.PENDING });
        expect(h.redisFailures).toEqual([h.redisFailure]);
        h.now += 1_000;
        h.armada.failure = ARMADA_UNAVAILABLE;
        await expect(h.states('j')).rejects.toMatchObject({
          code: status.UNAVAILABLE,
          details: expect.stringMatching(`^${cause}.*, and Armada's api.Jobs failed: UNAVAILABLE`) as string,
        });
      },
    );

    it('asks Armada for what was requested, and for nothing else', async () => {
      const wanted: unknown[] = [];
      const details = h.armada.details.bind(h.armada);
      h.armada.details = (jobIds, ...[expand]: unknown[]) => {
        wanted.push(expand);
        return details(jobIds);
      };
      const jobRuns = [JobRunDetails.decode(new Uint8Array())];
      h.armada.add('j', { jobRuns });
      h.armada.errorTexts.set('j', 'exit 7');
      h.redisFailure = new Error('Connection is closed.');
      expect(await h.errors('j')).toEqual({ j: 'exit 7' });
      expect(wanted).toEqual([]);
      expect(await h.details('j', { spec: true })).toMatchObject({ jobRuns });
      expect(await h.details('j', { runs: false })).toMatchObject({ jobRuns: [] });
      expect(wanted).toMatchObject([{ spec: true }, { spec: false }]);
    });

    it('answers ended jobs from memory, and asks Armada, which may be behind, for the others alone', async () => {
      await h.write({ ended: jobRecord('FAILED') });
      await h.states('ended');
      h.armada.add('ended', { state: JobState.RUNNING });
      h.armada.add('j', { state: JobState.PENDING });
      h.redisFailure = new Error('Connection is closed.');
      expect(await h.states('ended', 'j')).toEqual({ ended: JobState.FAILED, j: JobState.PENDING });
      expect(h.armada.calls).toEqual([['details', 'j']]);
    });

    it('is UNAVAILABLE, not UNIMPLEMENTED, where Armada lacks api.Jobs: a retry is answered from the cache', async () => {
      h.redisFailure = new Error('Connection is closed.');
      h.armada.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown service');
      await expect(h.states('j')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    });

    it.each(requests)(
      '%s rejects at once with an error that says nothing of Redis, and asks Armada nothing',
      async (_, request) => {
        h = new JobsApiHarness({ redisRetryTimeoutMs: 3_600_000 });
        const defect = new TypeError('undefined is not a function');
        h.redisFailure = defect;
        h.armada.failure = ARMADA_UNAVAILABLE;
        await expect(request('j')).rejects.toBe(defect);
        expect(h.redisFailures).toEqual([]);
      },
    );
  });

  describe('where the record of a job cannot be read', () => {
    beforeEach(async () => {
      await h.write({ j: jobRecord('RUNNING'), ok: jobRecord('RUNNING') });
      await h.addProvisional({ jobId: JobId('j'), externalUri: 'u' });
      h.store.makeUnreadable(KEY, JobId('j'), REASON);
    });

    it('answers for that job from Armada, for its neighbours from the cache, and leaves the record as it is', async () => {
      h.armada.add('j', { state: JobState.SUCCEEDED });
      h.armada.errorTexts.set('j', 'a text');
      expect(await h.states('ok', 'j')).toEqual({ ok: JobState.RUNNING, j: JobState.SUCCEEDED });
      expect(await h.errors('ok', 'j')).toEqual({ ok: '', j: 'a text' });
      expect(await h.details('j')).toMatchObject({ state: JobState.SUCCEEDED });
      expect((await h.store.read(KEY, [JobId('j')])).unreadable.get(JobId('j'))).toBe(REASON);
      expect(h.armada.calls).toEqual([
        ['details', 'j'],
        ['errors', 'j'],
        ['details', 'j'],
      ]);
      expect(h.unreadable).toEqual(['j', 'j', 'j']);
    });

    it.each(requests)('%s is UNAVAILABLE with the reason where Armada is, too', async (method, request) => {
      h.armada.failure =
        method === 'GetJobStatusUsingExternalJobUri'
          ? new ArmadaJobsError('unsupported', 'UNIMPLEMENTED: unknown method')
          : ARMADA_UNAVAILABLE;
      await expect(request('ok', 'j')).rejects.toMatchObject({
        code: status.UNAVAILABLE,
        details: expect.stringContaining(`job "j"`) as string,
      });
      await expect(request('ok', 'j')).rejects.toMatchObject({
        details: expect.stringContaining(REASON) as string,
      });
    });

    it.each(requests)(
      '%s is UNAVAILABLE with the reason where Armada does not know the job: it exists',
      async (_, request) => {
        await expect(request('j')).rejects.toMatchObject({
          code: status.UNAVAILABLE,
          details: `cannot resolve job "j": ${REASON}, and Armada's api.Jobs does not know the job; upgrade the query replicas`,
        });
      },
    );
  });
});
