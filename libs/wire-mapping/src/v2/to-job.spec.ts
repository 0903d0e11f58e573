import { JobState as V2JobState, type Job } from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, JOB_STATES, JobId, type JobRecord, type JobState } from '@ajs/job-state';
import { toTimestamp } from '../timestamps.js';
import { fromV2JobState, toV2JobState } from './job-states.js';
import { toV2Job } from './to-job.js';

const KEY = { queue: 'q', jobSetId: 's' };
const JOB = JobId('j');
const AT = ArmadaTime(5_000);

function jobOf(more: Partial<JobRecord>, enrichment = {}): Job {
  return toV2Job(JOB, KEY, { state: 'QUEUED', runNumber: 0, changedAt: AT, ...more }, enrichment);
}

describe('the state of a job in jobservice.v2', () => {
  it.each(Object.keys(JOB_STATES) as JobState[])('%s is the one of that name, and read as it', (state) => {
    expect(toV2JobState(state)).toBe(V2JobState[`JOB_STATE_${state}`]);
    expect(fromV2JobState(toV2JobState(state))).toBe(state);
  });

  it('is none where a request names UNSPECIFIED, or a number without a state', () => {
    expect(fromV2JobState(V2JobState.JOB_STATE_UNSPECIFIED)).toBeUndefined();
    expect(fromV2JobState(99 as V2JobState)).toBeUndefined();
  });
});

describe('a job of jobservice.v2', () => {
  it('has all that its record and its enrichment hold', () => {
    const run = {
      cluster: 'c',
      node: 'n',
      podName: 'p',
      pool: 'o',
      leasedAt: ArmadaTime(2_000),
      pendingAt: ArmadaTime(3_000),
      runningAt: ArmadaTime(4_000),
      endedAt: AT,
    };
    const latest = { id: 'run-2', state: 0, cluster: '', node: '' };
    expect(
      jobOf(
        {
          state: 'FAILED',
          runNumber: 2,
          run,
          submittedAt: ArmadaTime(1_000),
          namespace: 'ns',
          externalUri: 'https://u',
          failure: {
            reason: 'it broke',
            category: 'oom',
            exitCodes: { main: 137, constructor: 1 },
            exitReasons: { main: 'OOMKilled' },
          },
          failedRuns: 2,
        },
        { runs: { number: 2, latest, earlier: [], isOver: true } },
      ),
    ).toEqual<Job>({
      ref: { queue: 'q', jobSet: 's', jobId: 'j' },
      state: V2JobState.JOB_STATE_FAILED,
      terminal: true,
      reason: 'it broke',
      failure: {
        category: 'oom',
        containers: [
          { container: 'main', exitCode: 137, reason: 'OOMKilled' },
          { container: 'constructor', exitCode: 1, reason: '' },
        ],
        preempted: false,
      },
      failedRuns: 2,
      latestRun: {
        number: 2,
        runId: 'run-2',
        cluster: 'c',
        node: 'n',
        pod: 'p',
        pool: 'o',
        leasedAt: { seconds: '2', nanos: 0 },
        pendingAt: { seconds: '3', nanos: 0 },
        runningAt: { seconds: '4', nanos: 0 },
        endedAt: { seconds: '5', nanos: 0 },
      },
      namespace: 'ns',
      externalUri: 'https://u',
      submittedAt: { seconds: '1', nanos: 0 },
      stateChangedAt: toTimestamp(AT),
      endedAt: toTimestamp(AT),
      cancellation: undefined,
    });
  });

  it('leaves out what is not known', () => {
    const known = Object.entries(jobOf({ state: 'SUBMITTED' })).filter(([, value]) => Boolean(value));
    expect(known.map(([name]) => name)).toEqual(['ref', 'state', 'stateChangedAt']);
  });

  it('has the id of its latest run only where that is the run that was fetched', () => {
    const latest = { id: 'run-1', state: 0, cluster: '', node: '' };
    const runs = { number: 1, latest, earlier: [], isOver: false };
    expect(jobOf({ runNumber: 1, run: {} }, { runs }).latestRun?.runId).toBe('run-1');
    expect(jobOf({ runNumber: 2, run: {} }, { runs }).latestRun?.runId).toBe('');
  });

  it('says why it waits again, and no more once its next run has begun', () => {
    const failure = { reason: 'node lost' };
    const waiting = jobOf({ runNumber: 1, run: { outcome: 'failed' }, failure });
    expect(waiting.reason).toBe('node lost');
    const running = jobOf({ state: 'RUNNING', runNumber: 2, run: {}, failure });
    expect(running).toMatchObject({ reason: '', failure: { category: '' } });
    // Or is reported to have begun, or to be over, where the stream has not come so far.
    const ended = { outcome: 'failed' } as const;
    expect(jobOf({ state: 'RUNNING', runNumber: 1, run: ended, failure, reported: {} }).reason).toBe('');
    expect(jobOf({ runNumber: 2, run: {}, failure, reported: {} }).reason).toBe('');
  });

  it('was preempted where its last run had to make room, whether or not it is tried again', () => {
    const failure = { reason: 'made room' };
    expect(jobOf({ state: 'PREEMPTED', failure }).failure?.preempted).toBe(true);
    expect(jobOf({ run: { outcome: 'preempted' }, failure }).failure?.preempted).toBe(true);
    expect(jobOf({ state: 'FAILED', failure }).failure?.preempted).toBe(false);
  });

  it('was cancelled by whom Armada names, with the reason that Armada has in full', () => {
    const cancellation = { reason: 'short', requestor: 'eve' };
    const record = { state: 'CANCELLED', cancellation } as const;
    expect(jobOf(record)).toMatchObject({ reason: 'short', cancellation });
    expect(jobOf(record, { cancellation: { reason: 'in full', user: 'adam' } })).toMatchObject({
      reason: 'in full',
      cancellation: { reason: 'in full', requestor: 'adam' },
    });
  });

  it('has the namespace that Armada has where the stream has not shown it', () => {
    expect(jobOf({}, { namespace: 'of Armada' }).namespace).toBe('of Armada');
    expect(jobOf({ namespace: 'ns' }, { namespace: 'of Armada' }).namespace).toBe('ns');
  });

  it('has a reason of at most 4 KiB, cut at a character', () => {
    const cancellation = { reason: 'ä'.repeat(4_096), requestor: 'eve' };
    expect(jobOf({ state: 'CANCELLED', cancellation }).cancellation?.reason).toBe('ä'.repeat(2_048));
    const { reason } = jobOf({ state: 'FAILED', failure: { reason: 'ä'.repeat(4_096) } });
    expect(Buffer.byteLength(reason)).toBe(4_096);
    expect(reason).toBe('ä'.repeat(2_048));
  });
});
