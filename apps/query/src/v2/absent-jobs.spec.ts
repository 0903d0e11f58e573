import { jest } from '@jest/globals';
import {
  AbsenceKind,
  JobState as V2JobState,
  WaitCondition,
  type JobRef,
  type JobResult,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { JobState } from '@ajs/contracts/api/submit';
import { ArmadaTime, JobId, toMs, type JobRecord } from '@ajs/job-state';
import { ManualClock, eventually } from '@ajs/testing';
import { toJobResult, toV2Job } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Caller } from '../caller.js';
import { ARMADA_UNAVAILABLE } from '../jobs-api/testing/fake-armada-jobs.js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import { AbsentJobs, type CallForAbsentJobs } from './absent-jobs.js';
import { KEY, V2Harness, byId, refOf } from './testing/v2-harness.js';

const { ABSENCE_KIND_NOT_SYNCED, ABSENCE_KIND_NOT_FOUND } = AbsenceKind;
const record = (state: JobRecord['state']): JobRecord => ({
  state,
  runNumber: 1,
  changedAt: ArmadaTime(1),
  lastEvent: { ms: 1, sequence: 0, index: 0, last: true },
});

/** Longer than any answer takes. */
const MAX_WAIT = { seconds: '15', nanos: 0 };

let clock: ManualClock;
let harness: V2Harness;
beforeEach(() => {
  clock = new ManualClock();
  harness = new V2Harness({}, clock);
});
afterEach(() => {
  harness.close();
});

const shown = ({ result }: JobResult): AbsenceKind | V2JobState | undefined =>
  result?.$case === 'job' ? result.value.state : result?.value.kind;
/** Waits for something that comes with time, while the job set stays synced. */
const inTime = (what: string, look: () => boolean): Promise<boolean> =>
  eventually(what, async () => {
    await harness.write({});
    await clock.pass(1_000);
    return look();
  });

describe('WaitForJobs of a job that is named by its id alone, and not known yet', () => {
  const wait = (refs: JobRef[]) =>
    harness.api.waitForJobs(
      { refs, condition: WaitCondition.WAIT_CONDITION_ALL, states: [], count: 0, maxWait: MAX_WAIT },
      testCaller(),
    );
  const isWaiting = (): Promise<boolean> => eventually('it waits', () => harness.open.waitForJobs === 1);

  it('answers its end once a job set has it', async () => {
    const answer = wait([byId('a')]);
    await isWaiting();
    await harness.write({ a: record('RUNNING') });
    await inTime('it is found', () => harness.reads.length > 0);
    await harness.write({ a: record('SUCCEEDED') });
    expect(await answer).toMatchObject({ satisfied: true, results: [{ ref: byId('a') }] });
  });

  it('answers its end where Armada’s api.Jobs alone has it, which is in Redis by then', async () => {
    const answer = wait([byId('a')]);
    await isWaiting();
    harness.armada.add('a', { jobset: 'other', state: JobState.SUCCEEDED });
    let answered: Awaited<typeof answer> | undefined;
    void answer.then((response) => (answered = response));
    await inTime('it is answered', () => answered !== undefined);
    expect([answered?.satisfied, answered?.results.map(shown)]).toEqual([
      true,
      [V2JobState.JOB_STATE_SUCCEEDED],
    ]);
    expect((await harness.store.locate([JobId('a')])).size).toBe(1);
  });

  it('answers in the end what is known of it by then', async () => {
    harness.armada.failure = ARMADA_UNAVAILABLE;
    const answer = wait([byId('a')]);
    await isWaiting();
    harness.armada.failure = undefined;
    harness.armada.calls.length = 0;
    await inTime('it is looked up', () => harness.armada.calls.length > 0);
    harness.streams.stop();
    const { satisfied, results } = await answer;
    expect([satisfied, results.map(shown)]).toEqual([false, [ABSENCE_KIND_NOT_FOUND]]);
    expect(clock.timers).toBe(0);
  });

  it('is denied where it turns out to be in a queue that its caller may not watch, then or later', async () => {
    harness.verdictOn = () => 'no';
    const denied = wait([byId('a')]).catch((error: unknown) => error);
    await isWaiting();
    await harness.write({ a: record('RUNNING') });
    await inTime('it is denied', () => harness.open.waitForJobs === 0);
    expect(await denied).toMatchObject({ code: status.PERMISSION_DENIED });

    harness.verdictOn = () => 'yes';
    const later = wait([byId('b')]).catch((error: unknown) => error);
    await isWaiting();
    await harness.write({ b: record('RUNNING') });
    await inTime('it is found', () => harness.reads.length > 0);
    harness.verdictOn = () => 'no';
    expect(await later).toMatchObject({ code: status.PERMISSION_DENIED });
  });
});

describe('WatchJobs', () => {
  const watch = (refs: JobRef[]) => {
    const told: (AbsenceKind | V2JobState | undefined)[] = [];
    const ended = harness.jobs.watch({ refs }, testCaller(), (result) => void told.push(shown(result)));
    ended.catch(() => undefined);
    return { told, ended };
  };

  it('sends a job that is named by its id alone once it is known, and ends with it', async () => {
    const { told, ended } = watch([byId('a')]);
    await eventually('the answer is that there is none', () => told.length === 1);
    await harness.write({ a: record('RUNNING') });
    await inTime('it is reported', () => told.length === 2);
    await harness.write({ a: record('FAILED') });
    await ended;
    expect(told).toEqual([ABSENCE_KIND_NOT_FOUND, V2JobState.JOB_STATE_RUNNING, V2JobState.JOB_STATE_FAILED]);
  });

  it.each([
    ['by its id alone', byId('a')],
    ['in a job set', refOf('a')],
  ])('sends once that a job, named %s, turned out not to exist', async (_, ref) => {
    await harness.write({});
    harness.armada.failure = ARMADA_UNAVAILABLE;
    const { told } = watch([ref]);
    await eventually('the answer is that it may exist', () => told.length === 1);
    harness.armada.failure = undefined;
    await inTime('it is reported', () => told.length === 2);
    await clock.pass(120_000);
    expect(told).toEqual([ABSENCE_KIND_NOT_SYNCED, ABSENCE_KIND_NOT_FOUND]);
    await harness.write({ a: record('QUEUED') });
    await inTime('the answer is that it exists after all', () => told.length === 3);
    expect(told[2]).toBe(V2JobState.JOB_STATE_QUEUED);
  });

  it('goes by the feed of the job set: a look-up that ends late takes nothing back', async () => {
    const lookUps = jest.spyOn(AbsentJobs.prototype, 'lookUpFor');
    await harness.write({});
    const { told } = watch([refOf('a')]);
    await eventually('the answer is that there is none', () => told.length === 1);
    const ends = (ref: JobRef, kind: AbsenceKind): Promise<void> => {
      const result = { $case: 'absence', value: { kind, reason: '' } } as const;
      lookUps.mock.calls.at(-1)?.[0].tell(0, { ref, result, freshness: undefined });
      return nextTurn();
    };
    await ends(refOf('a'), ABSENCE_KIND_NOT_SYNCED);
    await harness.write({ a: record('RUNNING') });
    await eventually('it is reported', () => told.length === 2);
    await ends(refOf('a'), AbsenceKind.ABSENCE_KIND_EXPIRED);
    await harness.write({ a: record('FAILED') });
    await eventually('its end is reported', () => told.length === 3);
    expect(told).toEqual([ABSENCE_KIND_NOT_FOUND, V2JobState.JOB_STATE_RUNNING, V2JobState.JOB_STATE_FAILED]);
    lookUps.mockRestore();
  });

  it('looks up nothing any more once it has ended', async () => {
    const { told, ended } = watch([byId('a')]);
    await eventually('the answer is that there is none', () => told.length === 1);
    await eventually('it is to be looked up', () => clock.timers === 1);
    harness.streams.stop();
    await expect(ended).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(clock.timers).toBe(0);
  });
});

describe('the look-ups of absent jobs', () => {
  const ABSENT: JobResult = {
    ref: byId('a'),
    result: { $case: 'absence', value: { kind: ABSENCE_KIND_NOT_SYNCED, reason: '' } },
    freshness: undefined,
  };
  let lookUps: number[];
  /** For whom. */
  let callers: string[];
  let absent: AbsentJobs;
  beforeEach(() => {
    lookUps = [];
    callers = [];
    absent = new AbsentJobs(
      {
        results: {
          run: (jobs, { key }) => {
            lookUps.push(toMs(clock.monotonic()));
            callers.push(key);
            return Promise.resolve(jobs.map(() => ABSENT));
          },
        },
        admission: { run: (_, work) => work() },
        failed: () => {
          throw new Error('nothing fails');
        },
      },
      clock,
    );
  });
  const callFor = (jobs: number, key = 'a caller'): CallForAbsentJobs => ({
    caller: testCaller({ key }),
    jobs: new Map(Array.from({ length: jobs }, (_, n) => [n, { ref: byId('a'), jobId: JobId('a') }])),
    tell: () => undefined,
    end: () => undefined,
  });

  it('become ever rarer, down to one in 30 s, and end with their call', async () => {
    const stop = absent.lookUpFor(callFor(1));
    await clock.pass(95_000);
    expect(lookUps.map((ms) => ms / 1_000)).toEqual([1, 3, 7, 15, 31, 61, 91]);
    stop();
    expect(clock.timers).toBe(0);
    absent.lookUpFor(callFor(0));
    expect(clock.timers).toBe(0);
  });

  it('are made in turns: nobody waits for all that another caller has looked up', async () => {
    const flood = Array.from({ length: 10 }, () => absent.lookUpFor(callFor(1_000, 'flood')));
    absent.lookUpFor(callFor(1, 'another'));
    await clock.pass(1_500);
    expect(callers).toEqual(['flood', 'another', 'flood']);
    for (const stop of flood) stop();
    await clock.pass(10_000);
    expect(callers.filter((key) => key === 'flood')).toHaveLength(2);
  });

  it('are of a bounded number of jobs in a second, of all calls together', async () => {
    for (let n = 0; n < 10; n++) absent.lookUpFor(callFor(250));
    await clock.pass(1_000);
    expect(lookUps).toHaveLength(2);
    await clock.pass(2_000);
    expect(lookUps.length).toBeGreaterThanOrEqual(10);
  });

  describe('of one call', () => {
    const found = (ref: JobRef, kind?: AbsenceKind): JobResult =>
      kind === undefined
        ? toJobResult(ref, toV2Job(JobId(ref.jobId), KEY, record('RUNNING'), {}), undefined)
        : { ref, result: { $case: 'absence', value: { kind, reason: '' } }, freshness: undefined };
    let told: number[];
    let ends: status[];
    let failures: unknown[];
    /** In whose name it is looked up. */
    let caller: Caller | undefined;
    let stop: () => void;
    /** Begins the first look-up, which comes to this. */
    async function lookUp(outcome: Promise<JobResult[]>, refs: readonly JobRef[] = [byId('a')]) {
      [told, ends, failures, caller] = [[], [], [], undefined];
      const looked = new AbsentJobs(
        {
          results: {
            run: (_, who) => {
              caller = who;
              return outcome;
            },
          },
          admission: { run: (_, work) => work() },
          failed: (error) => {
            failures.push(error);
            return error as RpcError;
          },
        },
        clock,
      );
      const jobs = new Map(refs.map((ref, i) => [i, { ref, jobId: JobId(ref.jobId) }]));
      stop = looked.lookUpFor({
        caller: testCaller(),
        jobs,
        tell: (place) => told.push(place),
        end: ({ code }) => ends.push(code),
      });
      await clock.pass(1_500);
      return jobs;
    }

    it('end for a job that is found, and for one in a job set, whose feed tells of it', async () => {
      const refs = [
        byId('found'),
        byId('none'),
        refOf('none'),
        byId('young'),
        refOf('young'),
        byId('expired'),
      ];
      const jobs = await lookUp(
        Promise.resolve([
          found(byId('found')),
          found(byId('none'), ABSENCE_KIND_NOT_FOUND),
          found(refOf('none'), ABSENCE_KIND_NOT_FOUND),
          found(byId('young'), ABSENCE_KIND_NOT_SYNCED),
          found(refOf('young'), ABSENCE_KIND_NOT_SYNCED),
          found(byId('expired'), AbsenceKind.ABSENCE_KIND_EXPIRED),
        ]),
        refs,
      );
      expect([...jobs.values()].map(({ ref }) => ref)).toEqual([byId('none'), byId('young'), refOf('young')]);
      expect(told).toEqual([0, 1, 2, 3, 4, 5]);
    });

    it.each([
      ['PERMISSION_DENIED', true],
      ['UNAUTHENTICATED', true],
      ['UNAVAILABLE', false],
      ['RESOURCE_EXHAUSTED', false],
    ] as const)('that fail with %s end the call: %s', async (code, isEnded) => {
      await lookUp(Promise.reject(new RpcError(status[code], 'why')));
      expect(ends).toEqual(isEnded ? [status[code]] : []);
      expect(clock.timers).toBe(1);
      stop();
    });

    it.each([
      ['finds the job', (end: (outcome: JobResult[] | Error) => void) => end([found(byId('a'))])],
      [
        'fails',
        (end: (outcome: JobResult[] | Error) => void) => end(new RpcError(status.PERMISSION_DENIED, 'why')),
      ],
    ])('come to nothing once it has ended, though one of them %s then', async (_, ending) => {
      let end: (outcome: JobResult[] | Error) => void = () => undefined;
      const outcome = new Promise<JobResult[]>((resolve, reject) => {
        end = (result) => (result instanceof Error ? reject(result) : resolve(result));
      });
      await lookUp(outcome);
      expect(caller?.isGone()).toBe(false);
      stop();
      expect(caller?.isGone()).toBe(true);
      ending(end);
      await nextTurn();
      expect([told, ends, failures, clock.timers]).toEqual([[], [], [], 0]);
    });
  });

  it('go on for calls that come when all that waited for a round were looked up', async () => {
    const stops = Array.from({ length: 3 }, () => absent.lookUpFor(callFor(500)));
    await clock.pass(2_500);
    for (const stop of stops) stop();
    absent.lookUpFor(callFor(1, 'later'));
    await clock.pass(2_000);
    expect(callers).toContain('later');
  });
});
