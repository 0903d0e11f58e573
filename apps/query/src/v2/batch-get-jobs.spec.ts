import { JobState as ApiJobState } from '@ajs/contracts/api/submit';
import { AbsenceKind, JobState, WaitCondition } from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, JobId, addMs, type JobRecord } from '@ajs/job-state';
import type { SubscriptionReport } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { eventually, ulidAt } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FIRST_RETRY_MS } from '../absence/job-read-options.js';
import type { Caller } from '../caller.js';
import { ARMADA_UNAVAILABLE } from '../jobs-api/testing/fake-armada-jobs.js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import { KEY, V2Harness, byId, refOf } from './testing/v2-harness.js';

/** As the stream shows a job. */
const record = (state: JobRecord['state']): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1),
  lastEvent: { ms: 1, sequence: 0, index: 0, last: true },
});
const OTHER = { queue: 'other', jobSetId: 's' };
const ZERO = { seconds: '0', nanos: 0 };

const absence = (kind: AbsenceKind, reason: unknown = expect.any(String)) => ({
  result: { $case: 'absence', value: { kind, reason } },
});
const job = (state: JobState) => ({ result: { $case: 'job', value: { state } } });

describe('BatchGetJobs', () => {
  let harness: V2Harness;
  beforeEach(() => {
    harness = new V2Harness();
  });

  it('answers for each ref in its order, with one read of each job set, which counts as polled', async () => {
    await harness.write({ a: record('RUNNING'), b: record('FAILED') });
    const results = await harness.get([refOf('b'), refOf('a'), refOf('b'), byId('a')]);
    expect(results).toMatchObject([
      { ref: refOf('b'), ...job(JobState.JOB_STATE_FAILED) },
      { ref: refOf('a'), ...job(JobState.JOB_STATE_RUNNING) },
      { ref: refOf('b'), ...job(JobState.JOB_STATE_FAILED) },
      { ref: byId('a'), result: { value: { ref: refOf('a'), state: JobState.JOB_STATE_RUNNING } } },
    ]);
    expect(results[0]?.freshness).toMatchObject({ cursor: '1:0:0:1' });
    expect(harness.reads).toHaveLength(1);
    expect(harness.interest).toEqual([KEY]);
  });

  it('answers with the end that another caller was answered without Redis while it waited', async () => {
    let isOwed = false;
    const writeOwed = async (jobIds: readonly JobId[]): Promise<void> => {
      await nextTurn();
      await harness.store.report(KEY, new Map(jobIds.map((jobId) => [jobId, { state: 'SUCCEEDED' }])));
    };
    harness = new V2Harness({
      waitMs: 3_600_000,
      recorder: {
        settle: (jobIds) => (isOwed ? writeOwed(jobIds) : undefined),
      },
      pause: () => {
        isOwed = true;
        return harness.write({ a: record('RUNNING') });
      },
    });
    await harness.write({ a: record('QUEUED') }, { state: 'catching-up', reason: '' });
    expect(await harness.get([refOf('a')])).toMatchObject([job(JobState.JOB_STATE_SUCCEEDED)]);
  });

  it('answers with what it has shown before, encoded, as it answers for the first time', async () => {
    await harness.write({ a: record('RUNNING'), b: record('FAILED') });
    const refs = [refOf('b'), byId('b'), refOf('a'), refOf('none'), byId('a')];
    const first = await harness.get(refs);
    expect(await harness.get(refs)).toEqual(first);
    const request = {
      refs,
      condition: WaitCondition.WAIT_CONDITION_ALL,
      states: [],
      count: 0,
      maxWait: ZERO,
    };
    const { results } = await harness.api.waitForJobs(request, testCaller());
    expect(results).toEqual(first);
  });

  it('answers for a job that is named in two ways, in one of which it was shown before', async () => {
    await harness.write({ a: record('RUNNING') });
    const [first] = await harness.get([refOf('a')]);
    const both = await harness.get([byId('a'), refOf('a')]);
    expect(both).toEqual([{ ...first, ref: byId('a') }, first]);
    expect(harness.armada.calls).toEqual([]);
  });

  it('answers with what has changed of a job that was shown before', async () => {
    const refs = [refOf('a'), byId('a'), refOf('b')];
    await harness.write({ a: record('RUNNING'), b: record('RUNNING') });
    await harness.get(refs);
    await harness.write({ a: { ...record('RUNNING'), namespace: 'ns' } });
    expect(await harness.get(refs)).toMatchObject([
      { result: { value: { namespace: 'ns' } } },
      { result: { value: { namespace: 'ns' } } },
      { result: { value: { namespace: '' } } },
    ]);
    await harness.store.addEnrichment(KEY, new Map([[JobId('b'), { namespace: 'other' }]]));
    expect(await harness.get([refOf('b')])).toMatchObject([{ result: { value: { namespace: 'other' } } }]);
  });

  it('answers at once with a job that has ended while its job set is read for the first time', async () => {
    harness = new V2Harness({ waitMs: 60_000 });
    await harness.write({ a: record('SUCCEEDED') }, { state: 'catching-up', reason: '' });
    let results: unknown;
    void harness.get([refOf('a')]).then((got) => (results = got));
    await eventually('it answers', () => results !== undefined, 2_000);
    expect(results).toMatchObject([job(JobState.JOB_STATE_SUCCEEDED)]);
  });

  it('has the api.Jobs of Armada confirm a job that its stream should have shown, and has not', async () => {
    harness = new V2Harness({ provisionalGraceMs: 0 });
    await harness.write({ a: { state: 'RUNNING', runNumber: 1, changedAt: ArmadaTime(1) } });
    harness.armada.add('a', { state: ApiJobState.SUCCEEDED });
    expect(await harness.get([refOf('a')])).toMatchObject([job(JobState.JOB_STATE_SUCCEEDED)]);
  });

  it('judges a job that was shown before by how its job set stands now', async () => {
    await harness.write({ a: record('RUNNING') });
    await harness.get([refOf('a')]);
    harness.armada.add('a', { state: ApiJobState.SUCCEEDED });
    await harness.write({}, { state: 'denied', reason: 'no permission' });
    expect(await harness.get([refOf('a')])).toMatchObject([
      { ...job(JobState.JOB_STATE_SUCCEEDED), freshness: { reason: 'no permission' } },
    ]);
  });

  describe('of a job that has ended', () => {
    it('reads its job set, for how fresh it is, and the job no more', async () => {
      await harness.write({ a: record('RUNNING'), b: record('FAILED') });
      const before = await harness.get([refOf('a'), refOf('b')]);
      await harness.write({ a: record('SUCCEEDED') });
      const after = await harness.get([refOf('a'), refOf('b')]);
      expect(harness.reads).toEqual([['a', 'b'], ['a']]);
      expect(after[1]?.result).toEqual(before[1]?.result);
      expect(after[1]?.freshness).toEqual(after[0]?.freshness);
      await harness.get([byId('b')]);
      await harness.get([byId('b')]);
      expect(harness.reads.slice(2)).toEqual([['b'], []]);
    });

    it('has the job set read again where it is not as fresh as the caller wants it', async () => {
      await harness.write({ b: record('FAILED') });
      await harness.get([refOf('b')]);
      harness.onReadRequest = () => harness.write({});
      await harness.get([refOf('b')], { maxAge: ZERO });
      expect(harness.readRequests).toEqual([KEY]);
    });

    it('shows it to no caller who may not watch its queue, nor as a job of another job set', async () => {
      await harness.write({ b: record('FAILED') });
      await harness.get([refOf('b')]);
      expect(await harness.get([refOf('b', OTHER)])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED),
      ]);
      harness.verdictOn = () => 'no';
      for (const ref of [refOf('b'), byId('b')]) {
        await expect(harness.get([ref])).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
      }
    });

    it('reads it again where the job set that holds it is another one than before', async () => {
      await harness.write({ b: record('FAILED') });
      await harness.get([byId('b')]);
      harness.store.locate = () => Promise.resolve(new Map([[JobId('b'), OTHER]]));
      expect(await harness.get([byId('b')])).toMatchObject([absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED)]);
    });

    it('reads it again where its stream has not shown its end, and may add to it', async () => {
      await harness.write({ b: { ...record('FAILED'), failure: { reason: 'why' }, reported: {} } });
      await harness.get([refOf('b')]);
      await harness.get([refOf('b')]);
      expect(harness.reads).toEqual([['b'], ['b']]);
    });
  });

  it.each([
    ['no ref', []],
    ['more than 1,000 refs', Array.from({ length: 1_001 }, () => refOf('j'))],
    ['a ref without an id', [refOf('')]],
    ['a ref with a queue and no job set', [{ ...refOf('j'), jobSet: '' }]],
    ['a ref with a job set and no queue', [{ ...refOf('j'), queue: '' }]],
    ['a queue whose name is too long', [{ ...refOf('j'), queue: 'x'.repeat(1_025) }]],
  ])('rejects %s as INVALID_ARGUMENT', async (_, refs) => {
    await expect(harness.get(refs)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('rejects a negative max_age', async () => {
    const maxAge = { seconds: '-1', nanos: 0 };
    await expect(harness.get([refOf('j')], { maxAge })).rejects.toThrow('max_age is negative');
  });

  describe('of a job that there is none to show of', () => {
    it('says that it is not synced while its job set was not read since the call', async () => {
      await harness.write({}, { state: 'catching-up', reason: '' });
      const [result] = await harness.get([refOf('j')]);
      expect(result).toMatchObject(absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED));
    });

    it.each<[string, Partial<Caller>, SubscriptionReport['state']]>([
      ['its caller has no time left', { deadline: monotonicNow() }, 'catching-up'],
      ['Armada denies the job set', {}, 'denied'],
    ])('waits for no sync where %s', async (_, caller, state) => {
      harness = new V2Harness({ waitMs: 60_000 });
      await harness.write({}, { state, reason: '' });
      let results: unknown;
      void harness.get([refOf('j')], {}, testCaller(caller)).then((got) => (results = got));
      await eventually('it answers', () => results !== undefined, 2_000);
      expect(results).toMatchObject([absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED)]);
    });

    it('looks for the sync ever more rarely, no longer than there is time, and not for a caller that has gone', async () => {
      const pauses: number[] = [];
      harness = new V2Harness({ waitMs: 60_000, pause: (_, ms) => Promise.resolve(void pauses.push(ms)) });
      await harness.write({}, { state: 'catching-up', reason: '' });
      const gone = testCaller({ isGone: () => pauses.length === 3 });
      await expect(harness.get([refOf('j')], {}, gone)).rejects.toMatchObject({ code: status.CANCELLED });
      expect(pauses).toEqual([FIRST_RETRY_MS, 2 * FIRST_RETRY_MS, 4 * FIRST_RETRY_MS]);
      pauses.length = 0;
      const late = testCaller({ deadline: addMs(monotonicNow(), 101), isGone: () => pauses.length === 1 });
      await harness.get([refOf('j')], {}, late).catch(() => undefined);
      expect(pauses[0] ?? 0).toBeLessThanOrEqual(1);
    });

    it('waits for the first sync, and then says what it brought', async () => {
      harness = new V2Harness({ waitMs: 60_000 });
      await harness.write({}, { state: 'catching-up', reason: '' });
      harness.onReadRequest = () => harness.write({ j: record('SUCCEEDED') });
      expect(await harness.get([refOf('j')])).toMatchObject([job(JobState.JOB_STATE_SUCCEEDED)]);
      expect(harness.readRequests).toContainEqual(KEY);
    });

    it('says NOT_FOUND on two witnesses: its stream, and the api.Jobs of Armada, asked once for all jobs', async () => {
      await harness.write({});
      const results = await harness.get([refOf('j'), refOf('k')]);
      expect(results).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_FOUND),
        absence(AbsenceKind.ABSENCE_KIND_NOT_FOUND),
      ]);
      expect(harness.armada.calls).toEqual([['details', 'j', 'k']]);
    });

    it('never says NOT_FOUND while the api.Jobs of Armada does not answer', async () => {
      await harness.write({});
      harness.armada.failure = ARMADA_UNAVAILABLE;
      expect(await harness.get([refOf('j'), byId('k')])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('connection refused')),
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('connection refused')),
      ]);
    });

    it('never says NOT_FOUND of a job that Armada has, and Redis does not take', async () => {
      harness.armada.add('k', { queue: '', jobset: '' });
      expect(await harness.get([byId('k')])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('Armada has the job')),
      ]);
    });

    it('does not hide the states of other jobs where too many calls wait', async () => {
      const limit = new RpcError(status.RESOURCE_EXHAUSTED, 'limit reached');
      harness = new V2Harness({ waiting: () => Promise.reject(limit) });
      await harness.write({ j: record('RUNNING') });
      expect(await harness.get([refOf('j'), refOf('k')])).toMatchObject([
        job(JobState.JOB_STATE_RUNNING),
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('limit reached')),
      ]);
    });

    it('says that a young job is not synced, by its job set and by its id alone', async () => {
      const young = ulidAt(Date.now());
      await harness.write({});
      expect(await harness.get([refOf(young), byId(young)])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('NOT_FOUND_GRACE')),
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('NOT_FOUND_GRACE')),
      ]);
    });

    it('shows a job that only the api.Jobs of Armada knows, and records it first', async () => {
      await harness.write({});
      harness.armada.add('j');
      harness.armada.add('k', { queue: 'other' });
      expect(await harness.get([refOf('j'), byId('k')])).toMatchObject([
        job(JobState.JOB_STATE_RUNNING),
        { result: { value: { ref: refOf('k', OTHER), state: JobState.JOB_STATE_RUNNING } } },
      ]);
      const { jobs } = await harness.store.read(KEY, [JobId('j')]);
      expect(jobs.get(JobId('j'))?.state).toBe('RUNNING');
    });

    it('says EXPIRED of a job that the job index has in this job set, and no witness knows any more', async () => {
      await harness.write({});
      harness.store.locate = () =>
        Promise.resolve(
          new Map([
            [JobId('j'), KEY],
            [JobId('k'), OTHER],
            [JobId('l'), { ...KEY, jobSetId: 'other' }],
          ]),
        );
      expect(await harness.get([refOf('j'), refOf('k'), refOf('l')])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_EXPIRED),
        absence(AbsenceKind.ABSENCE_KIND_NOT_FOUND),
        absence(AbsenceKind.ABSENCE_KIND_NOT_FOUND),
      ]);
    });

    it('says why a job set is not followed for this caller', async () => {
      const refusal = 'the job set is not followed: too many';
      const refusalOf = (_: unknown, { key }: Pick<Caller, 'key'>) =>
        key === 'a caller' ? refusal : undefined;
      harness = new V2Harness({ waitMs: 60_000, refusalOf });
      let results: unknown;
      void harness.get([refOf('j')]).then((got) => (results = got));
      await eventually('it answers', () => results !== undefined, 2_000);
      expect(results).toMatchObject([absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, refusal)]);
    });

    it('never says NOT_FOUND of a job that Armada has, and Redis has lost again', async () => {
      const lookUpAll = () => Promise.resolve(new Map([[JobId('j'), { kind: 'recorded' } as const]]));
      harness = new V2Harness({ reportedJobs: { lookUp: () => Promise.reject(new Error()), lookUpAll } });
      await harness.write({});
      expect(await harness.get([refOf('j')])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('Redis has lost')),
      ]);
    });

    it('says of a record that this version cannot read that it may exist', async () => {
      await harness.write({});
      harness.store.makeUnreadable(KEY, JobId('j'), 'a newer version wrote it');
      expect(await harness.get([refOf('j')])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, 'a newer version wrote it; upgrade the query replicas'),
      ]);
      expect(harness.unreadable).toEqual(['j']);
    });

    it('says that it is not synced where its queue does not exist, which may be new', async () => {
      harness.verdictOn = () => 'no-queue';
      expect(await harness.get([refOf('j')])).toMatchObject([
        absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('does not exist')),
      ]);
      expect(harness.reads).toEqual([]);
    });
  });

  describe('for a caller that may not watch a queue', () => {
    beforeEach(async () => {
      await harness.write({ j: record('RUNNING') });
      harness.verdictOn = (queue) => (queue === 'q' ? 'no' : 'yes');
    });

    it('says the same of every job of a queue that the request names, and reads nothing', async () => {
      const denials = await Promise.all(
        ['j', 'no-such-job'].map((jobId) =>
          harness.get([refOf(jobId), refOf(jobId, OTHER)]).catch((error: unknown) => error),
        ),
      );
      expect(denials[0]).toMatchObject({
        code: status.PERMISSION_DENIED,
        details: expect.stringContaining('queue "q"') as string,
      });
      expect(denials[1]).toEqual(denials[0]);
      expect(harness.reads).toEqual([]);
    });

    it('is denied a job of the queue wherever the request names it', async () => {
      for (const refs of [
        [refOf('k', OTHER), refOf('j')],
        [refOf('k', OTHER), refOf('l', OTHER), refOf('j'), refOf('m', OTHER)],
      ]) {
        await expect(harness.get(refs)).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
      }
      expect(harness.reads).toEqual([]);
    });

    it('names the id, and not the queue, of a job that is requested by its id alone', async () => {
      await expect(harness.get([byId('j')])).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
        details: expect.not.stringContaining('"q"') as string,
      });
      harness.armada.add('unknown-here');
      await expect(harness.get([byId('unknown-here')])).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
    });
  });

  describe('with max_age', () => {
    it('answers at once where the job set was synced within it', async () => {
      await harness.write({ j: record('RUNNING') });
      const maxAge = { seconds: '60', nanos: 0 };
      expect(await harness.get([refOf('j')], { maxAge })).toMatchObject([job(JobState.JOB_STATE_RUNNING)]);
      expect(harness.readRequests).toEqual([]);
    });

    it('has the job set read again first where it was not, whether or not the job is terminal', async () => {
      await harness.write({ j: record('SUCCEEDED'), k: record('RUNNING') });
      harness.onReadRequest = () => harness.write({ k: record('FAILED') });
      expect(await harness.get([refOf('j'), refOf('k')], { maxAge: ZERO })).toMatchObject([
        job(JobState.JOB_STATE_SUCCEEDED),
        job(JobState.JOB_STATE_FAILED),
      ]);
      expect(harness.readRequests).toEqual([KEY]);
    });

    it('fails with UNAVAILABLE before the deadline of the call where the job set is not read', async () => {
      await harness.write({ j: record('RUNNING') });
      const deadline = monotonicNow();
      await expect(
        harness.get([refOf('j')], { maxAge: ZERO }, testCaller({ deadline })),
      ).rejects.toMatchObject({
        code: status.UNAVAILABLE,
        reason: 'NOT_SYNCED_IN_TIME',
        details: expect.stringContaining('max_age') as string,
      });
    });

    it('fails at once where Armada does not let the job set be read', async () => {
      await harness.write({ j: record('RUNNING') }, { state: 'denied', reason: 'no permission' });
      await expect(harness.get([refOf('j')], { maxAge: ZERO })).rejects.toThrow('denies this service');
    });
  });

  it('reads more jobs than one script should in several', async () => {
    const ids = Array.from({ length: 450 }, (_, i) => `job-${i}`);
    await harness.write(Object.fromEntries(ids.map((id) => [id, record('RUNNING')])));
    const results = await harness.get(ids.map((id) => refOf(id)));
    expect(results.filter(({ result }) => result?.$case === 'job')).toHaveLength(450);
    expect(harness.reads).toHaveLength(3);
    harness.store.makeUnreadable(KEY, JobId('job-449'), 'a newer version wrote it');
    const again = await harness.get(ids.map((id) => refOf(id)));
    expect(again.slice(0, 449)).toEqual(results.slice(0, 449));
    expect(again[449]).toMatchObject(
      absence(AbsenceKind.ABSENCE_KIND_NOT_SYNCED, expect.stringContaining('a newer version wrote it')),
    );
  });
});
