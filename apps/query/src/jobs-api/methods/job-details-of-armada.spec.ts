import { createArmadaClient, type ArmadaClient } from '@ajs/armada-client';
import { anonymous, withoutTls } from '@ajs/armada-credentials';
import {
  EventStreamMessage,
  JobLeaseExpiredEvent,
  JobLeaseReturnedEvent,
  type EventMessage,
} from '@ajs/contracts/api/event';
import type { JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { JobId, foldBatch, toMs } from '@ajs/job-state';
import { FakeArmada, armadaJob, jobEvents, type ArmadaJob, type JobRef } from '@ajs/testing';
import { toArmadaTime, toStreamMessage } from '@ajs/wire-mapping';
import { JobsApiHarness, KEY, START } from '../testing/jobs-api-harness.js';

const REF: JobRef = { ...KEY, jobId: '01m85vrgp7whz55kx8f03d6510' };
const JOB = { namespace: 'ns', annotations: {} };
const EMPTY = new Uint8Array();

type Step = readonly [state: JobState, events: readonly EventMessage[]];

const submitted: Step = [JobState.QUEUED, jobEvents.submitted(REF, JOB)];
const leased: Step = [JobState.LEASED, jobEvents.leased(REF)];
const pending: Step = [JobState.PENDING, jobEvents.pending(REF, JOB)];
const running: Step = [JobState.RUNNING, jobEvents.running(REF, JOB)];
const succeeded: Step = [JobState.SUCCEEDED, jobEvents.succeeded(REF)];
const failed: Step = [JobState.FAILED, jobEvents.failed(REF, 7, false)];
const retried: Step = [JobState.QUEUED, jobEvents.failed(REF, 7, true)];
const rejected: Step = [JobState.REJECTED, jobEvents.rejected(REF, 'does not fit')];
const cancelled: Step = [JobState.CANCELLED, jobEvents.cancelled(REF)];
const preempted: Step = [JobState.PREEMPTED, jobEvents.preempted(REF, 'Preempted by scheduler')];
const preemptedAndRetried: Step = [
  JobState.QUEUED,
  [...jobEvents.preempted(REF, 'Preempted by scheduler').slice(0, 2), ...jobEvents.failed(REF, 137, true)],
];
const base = { ...REF, created: undefined };
const leaseReturned: Step = [
  JobState.QUEUED,
  [{ events: { $case: 'leaseReturned', value: { ...JobLeaseReturnedEvent.decode(EMPTY), ...base } } }],
];
const leaseExpired: Step = [
  JobState.QUEUED,
  [{ events: { $case: 'leaseExpired', value: { ...JobLeaseExpiredEvent.decode(EMPTY), ...base } } }],
];
const run: readonly Step[] = [leased, pending, running];

const SHAPES: Readonly<Record<string, readonly Step[]>> = {
  'is only leased': [submitted, leased],
  'is pending': [submitted, leased, pending],
  runs: [submitted, ...run],
  succeeded: [submitted, ...run, succeeded],
  failed: [submitted, ...run, failed],
  'failed before its pod ran': [submitted, leased, failed],
  'was rejected': [submitted, rejected],
  'was cancelled before it had a run': [submitted, cancelled],
  'was cancelled while it was leased': [submitted, leased, cancelled],
  'was cancelled while it ran': [submitted, ...run, cancelled],
  'was cancelled between two runs': [submitted, ...run, retried, cancelled],
  'was preempted': [submitted, ...run, preempted],
  'was preempted, and runs again': [submitted, ...run, preemptedAndRetried, ...run],
  'waits for its second run': [submitted, ...run, retried],
  'is leased again': [submitted, ...run, retried, leased],
  'succeeded in its third run': [submitted, ...run, retried, ...run, retried, ...run, succeeded],
  'failed in its second run': [submitted, ...run, retried, ...run, failed],
  'was given back by its cluster, and runs': [submitted, leased, leaseReturned, ...run],
  'lost its cluster, and succeeded in another': [submitted, ...run, leaseExpired, ...run, succeeded],
};

let armada: FakeArmada;
let client: ArmadaClient;
let h: JobsApiHarness;
let job: ArmadaJob;
/** The time of the last step: ten seconds pass before each. Seconds. */
let now: number;

beforeEach(async () => {
  armada = new FakeArmada({ eventDelayMs: [0, 0] });
  const transport = withoutTls(await armada.listen('127.0.0.1:0'));
  client = createArmadaClient({
    transport,
    identity: anonymous,
    maxMessageBytes: 1_000_000,
    callsPerSecond: 1_000,
  });
  h = new JobsApiHarness({ armadaFor: () => client.jobs });
  job = armadaJob(REF);
  now = toMs(START) / 1_000;
});

afterEach(() => {
  client.close();
  armada.stop();
});

function take([state, events]: Step): void {
  now += 10;
  for (const { events: event } of events)
    if (event !== undefined) event.value.created = { seconds: `${now}`, nanos: 0 };
  armada.state.move(job, state, events);
}

/** Writes what the ingester would have written by now. */
async function follow(): Promise<void> {
  const log = armada.state.openLog(KEY.queue, KEY.jobSetId);
  const messages = Array.from({ length: log.end }, (_, position) => {
    const mapped = toStreamMessage(EventStreamMessage.decode(log.at(position)?.message.bytes ?? EMPTY));
    if (mapped.kind !== 'message') throw new Error(mapped.kind);
    return mapped.message;
  });
  await h.write(Object.fromEntries(foldBatch(new Map(), messages)));
}

/** Armada's own answer. */
async function theirs({ spec = false, runs = true } = {}): Promise<JobDetails | undefined> {
  return (await client.jobs.details([JobId(REF.jobId)], { spec, runs })).get(JobId(REF.jobId));
}

const lookUps = (): number => armada.calls.count('/api.Jobs/GetJobDetails');

describe('GetJobDetails of a job that', () => {
  it.each(Object.entries(SHAPES))('%s is answered as by Armada', async (_, steps) => {
    steps.forEach(take);
    await follow();
    const expected = await theirs();
    expect(expected?.jobRuns).toHaveLength(steps.filter((step) => step === leased).length);
    expect(await h.details(REF.jobId)).toEqual(expected);
    expect(await h.details(REF.jobId, { spec: true })).toEqual(await theirs({ spec: true }));
    expect(await h.details(REF.jobId, { runs: false })).toEqual(await theirs({ runs: false }));
    armada.faults.set({ jobsUnavailable: true });
    expect(await h.details(REF.jobId)).toEqual(expected);
  });

  it.each(Object.entries(SHAPES))(
    '%s is answered as by Armada at each step of its life',
    async (_, steps) => {
      for (const step of steps) {
        take(step);
        await follow();
        expect(await h.details(REF.jobId)).toEqual(await theirs());
      }
    },
  );
});

describe('the end of a run', () => {
  const endOf = async (): Promise<number | undefined> => {
    const time = toArmadaTime((await h.details(REF.jobId))?.jobRuns[0]?.finishedTs);
    return time === undefined ? undefined : toMs(time) / 1_000;
  };

  it.each([
    ['succeeded', succeeded],
    ['failed', failed],
    ['failed and is tried again', retried],
  ])('of a job that %s is its own, not that of the verdict, and is fetched once', async (_, end) => {
    [submitted, ...run, end].forEach(take);
    await follow();
    for (let i = 0; i < 3; i++) expect(await endOf()).toBe(now - 0.6);
    expect(lookUps()).toBe(1);
  });

  it('is left out until Armada has shown it', async () => {
    [submitted, ...run].forEach(take);
    await follow();
    expect(await endOf()).toBeUndefined();
    armada.faults.set({ lookoutLagMs: 3_600_000 });
    take(failed);
    await follow();
    expect(await h.details(REF.jobId)).toMatchObject({
      state: JobState.FAILED,
      latestRunId: expect.stringMatching(/.+/) as string,
    });
    expect(await endOf()).toBeUndefined();
  });

  it('is not shown while the stream has the run going on, though Armada shows it', async () => {
    [submitted, ...run].forEach(take);
    await follow();
    take(succeeded);
    expect(await endOf()).toBeUndefined();
    await follow();
    expect(await endOf()).toBe(now - 0.6);
  });
});
