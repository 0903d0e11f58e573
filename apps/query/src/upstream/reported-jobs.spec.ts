import { ArmadaJobsError, type Requester } from '@ajs/armada-client';
import { JobState } from '@ajs/contracts/api/submit';
import { JobId } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { eventually } from '@ajs/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ARMADA_UNAVAILABLE, FakeArmadaJobs } from '../jobs-api/testing/fake-armada-jobs.js';
import { INTERNAL_ERROR_TEXT } from '../rpc-error.js';
import { ReportRecorder } from './report-recorder.js';
import { ReportedJobs, type UpstreamReport } from './reported-jobs.js';
import { UpstreamJobResolver } from './upstream-job-resolver.js';

const KEY = { queue: 'q', jobSetId: 's' };
const JOB_ID = JobId('j');

describe('a look-up of a job in Armada’s api.Jobs', () => {
  let now: number;
  let armada: FakeArmadaJobs;
  let store: MemoryJobStore;
  let resolver: UpstreamJobResolver;
  let reportedJobs: ReportedJobs;
  let redisFailures: string[];
  let requesters: Requester[];

  beforeEach(() => {
    now = 1_000;
    redisFailures = [];
    requesters = [];
    armada = new FakeArmadaJobs();
    store = new MemoryJobStore();
    const options = {
      sink: store,
      redisFailed: ({ message }: Error) => redisFailures.push(message),
      noteInterest: () => undefined,
      now: () => now,
    };
    resolver = new UpstreamJobResolver({ ...options, recorder: new ReportRecorder(options) });
    const forRequester = (requester: Requester): FakeArmadaJobs => {
      requesters.push(requester);
      return armada;
    };
    reportedJobs = new ReportedJobs({ ...options, armada: { for: forRequester }, resolver });
  });

  const lookUp = (key = KEY): Promise<UpstreamReport> => reportedJobs.lookUp(key, JOB_ID, 'caller');
  const stateInStore = async () => (await store.read(KEY, [JOB_ID])).jobs.get(JOB_ID)?.state;

  it('records a job that has no record, in the state that Armada reports', async () => {
    armada.add(JOB_ID, { state: JobState.PENDING });
    expect(await lookUp()).toEqual({ kind: 'recorded' });
    expect(await stateInStore()).toBe('PENDING');
  });

  it('is over only once the job is recorded, and is no record where Redis takes none', async () => {
    armada.add(JOB_ID);
    const report = store.report.bind(store);
    let fail: ((error: Error) => void) | undefined;
    store.report = () => new Promise((_, reject) => (fail = reject));
    let isOver = false;
    const lookedUp = lookUp().finally(() => (isOver = true));
    await eventually('it is being recorded', () => fail !== undefined);
    await nextTurn();
    expect(isOver).toBe(false);
    fail?.(new Error('Connection is closed.'));
    expect(await lookedUp).toEqual({ kind: 'unanswered', reason: 'Redis is unavailable' });
    expect(redisFailures).toEqual(['Connection is closed.']);
    store.report = report;
    now += 1_000;
    expect(await lookUp()).toEqual({ kind: 'recorded' });
  });

  it('says of a defect in recording that it is one, and nothing of its inside', async () => {
    armada.add(JOB_ID);
    store.report = () => Promise.reject(new TypeError('secret of the inside'));
    expect(await lookUp()).toEqual({ kind: 'unanswered', reason: INTERNAL_ERROR_TEXT });
    expect(redisFailures).toEqual(['secret of the inside']);
  });

  it('ends a job that has a record where Armada reports a terminal state', async () => {
    armada.add(JOB_ID, { state: JobState.PENDING });
    await lookUp();
    armada.add(JOB_ID, { state: JobState.FAILED });
    now += 1_000;
    await lookUp();
    expect(await stateInStore()).toBe('FAILED');
  });

  it('is made once for all callers of the same second, whatever comes of it', async () => {
    const outcomes: [() => void, UpstreamReport['kind']][] = [
      [() => armada.add(JOB_ID), 'recorded'],
      [() => armada.jobs.clear(), 'unknown'],
      [() => (armada.failure = ARMADA_UNAVAILABLE), 'unanswered'],
      [() => (armada.failure = new ArmadaJobsError('unsupported', 'UNIMPLEMENTED')), 'unsupported'],
    ];
    for (const [begin, kind] of outcomes) {
      begin();
      armada.calls.length = 0;
      const together = await Promise.all([lookUp(), lookUp()]);
      now += 999;
      expect([...together, await lookUp()].map((report) => report.kind)).toEqual([kind, kind, kind]);
      expect(armada.calls).toEqual([['details', JOB_ID]]);
      now += 1;
      await lookUp();
      expect(armada.calls).toHaveLength(2);
      now += 1_000;
    }
  });

  it('is made in the turn of its caller, also once that has gone: others may share it', async () => {
    await lookUp();
    expect(requesters.map(({ key, isGone }) => [key, isGone()])).toEqual([['caller', false]]);
  });

  it('rejects at a defect, which is no answer of Armada', async () => {
    armada.details = () => Promise.reject(new TypeError('undefined is not a function'));
    await expect(lookUp()).rejects.toThrow(TypeError);
  });

  it('rejects at a defect also while another look-up is under way that it waits for', async () => {
    const slow = JobId('slow');
    armada.details = (jobIds) =>
      jobIds.includes(slow)
        ? new Promise<never>(() => undefined)
        : Promise.reject(new TypeError('undefined is not a function'));
    void reportedJobs.lookUp(KEY, slow, 'caller');
    let failure: unknown;
    reportedJobs.lookUpAll(KEY, [slow, JOB_ID], 'caller').catch((error: unknown) => (failure = error));
    await eventually('it rejects', () => failure !== undefined);
    expect(failure).toBeInstanceOf(TypeError);
  });

  it('reports each of several jobs by itself, also where some of them were looked up a moment ago', async () => {
    const [other, none] = [JobId('other'), JobId('none')];
    armada.add(JOB_ID);
    armada.add(other, { jobset: 'other' });
    await lookUp();
    const reports = await reportedJobs.lookUpAll(KEY, [other, JOB_ID, none], 'caller');
    expect(reports).toEqual(
      new Map([
        [JOB_ID, { kind: 'recorded' }],
        [other, { kind: 'unknown' }],
        [none, { kind: 'unknown' }],
      ]),
    );
    expect(armada.calls).toEqual([
      ['details', JOB_ID],
      ['details', other, none],
    ]);
  });

  it('is not made where api.Jobs here has just made it for another caller', async () => {
    armada.add(JOB_ID);
    await resolver.queuesOf([JOB_ID], armada);
    expect(await lookUp()).toEqual({ kind: 'recorded' });
    expect(armada.calls).toEqual([['details', JOB_ID]]);
  });

  it('says nothing of a job of another queue or job set, and records nothing', async () => {
    armada.add(JOB_ID);
    expect(await lookUp({ ...KEY, queue: 'other' })).toEqual({ kind: 'unknown' });
    expect(await lookUp({ ...KEY, jobSetId: 'other' })).toEqual({ kind: 'unknown' });
    expect((await store.locate([JOB_ID])).size).toBe(0);
    expect(await lookUp()).toEqual({ kind: 'recorded' });
  });

  it('settles nothing where Armada reports a state that this version does not know', async () => {
    armada.add(JOB_ID, { state: 42 as JobState });
    expect(await lookUp()).toEqual({
      kind: 'unanswered',
      reason: "Armada's api.Jobs reports state number 42, which this version does not know",
    });
    expect(await stateInStore()).toBeUndefined();
  });
});
