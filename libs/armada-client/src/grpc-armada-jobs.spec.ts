import { JobId } from '@ajs/job-state';
import { anonymous, withoutTls } from '@ajs/armada-credentials';
import { JobState } from '@ajs/contracts/api/submit';
import { FakeArmada, allRecordings, armadaJob, eventually, freePort, type Recording } from '@ajs/testing';
import { createArmadaClient, type ArmadaClient, type ArmadaJobs, type ArmadaJobsError } from './index.js';

let armada: FakeArmada;
let client: ArmadaClient;

function clientOf(address: string): ArmadaClient {
  return createArmadaClient({
    transport: withoutTls(address),
    identity: anonymous,
    maxMessageBytes: 1_000_000,
    callsPerSecond: 1_000,
  });
}

beforeEach(async () => {
  armada = new FakeArmada();
  client = clientOf(await armada.listen('127.0.0.1:0'));
});

afterEach(() => {
  client.close();
  armada.stop();
});

const calls = (method: string): number => armada.calls.count(`/api.Jobs/${method}`);

function recording(name: string): Recording {
  const found = allRecordings().find((one) => one.name === name);
  if (found === undefined) throw new Error(`no recording ${name}`);
  return found;
}

const NOTHING = { spec: false, runs: false };
const BY_URI = { queue: 'q', jobset: 's', externalJobUri: 'u' };
const jobIds = (count: number): JobId[] => Array.from({ length: count }, (_, i) => JobId(`job-${i}`));

function knowJobs(ids: readonly string[]): void {
  for (const jobId of ids) {
    const job = armadaJob(
      { jobId, queue: 'q', jobSetId: 's' },
      { state: JobState.RUNNING, error: `error of ${jobId}` },
    );
    armada.state.jobs.set(jobId, job);
  }
}

describe("Armada's own api.Jobs", () => {
  it('returns the states and errors of every recording', async () => {
    for (const recording of allRecordings()) {
      armada.replay(recording);
      const ids = Object.keys(recording.states).map(JobId);
      const states = await client.jobs.status(ids);
      for (const [jobId, name] of Object.entries(recording.states)) {
        expect(states.get(JobId(jobId))).toBe(JobState[name as keyof typeof JobState]);
      }
      expect(Object.fromEntries(await client.jobs.errors(ids))).toEqual(recording.errors);
    }
  });

  it('returns a state for every job, UNKNOWN for one it does not have, which details and errors leave out', async () => {
    knowJobs(['job']);
    const ids = ['job', 'no-such-job', 'job', 'not an id', ''].map(JobId);
    expect(Object.fromEntries(await client.jobs.status(ids))).toEqual({
      job: JobState.RUNNING,
      'no-such-job': JobState.UNKNOWN,
      'not an id': JobState.UNKNOWN,
      '': JobState.UNKNOWN,
    });
    expect(Object.fromEntries(await client.jobs.errors(ids))).toEqual({ job: 'error of job' });
    const details = await client.jobs.details(ids, NOTHING);
    expect([...details.values()]).toMatchObject([{ jobId: 'job', queue: 'q', jobset: 's' }]);
  });

  it('is not called for what cannot be an id', async () => {
    const no = ['not an id', '', 'x'.repeat(64), 'a\0b', 'a\x7f', 'é'].map(JobId);
    expect([...(await client.jobs.status(no)).values()]).toEqual(no.map(() => JobState.UNKNOWN));
    expect((await client.jobs.details(no, NOTHING)).size).toBe(0);
    expect([calls('GetJobStatus'), calls('GetJobDetails')]).toEqual([0, 0]);
    await client.jobs.status([JobId('~'.repeat(63))]);
    expect(calls('GetJobStatus')).toBe(1);
  });

  it.each<[string, (jobs: ArmadaJobs) => Promise<unknown>]>([
    ['GetJobStatus', (jobs) => jobs.status([JobId('a')])],
    ['GetJobDetails', (jobs) => jobs.details([JobId('a')], { spec: true, runs: false })],
    ['GetJobErrors', (jobs) => jobs.errors([JobId('a')])],
    ['GetJobRunDetails', (jobs) => jobs.runDetails(['a'])],
    ['GetJobStatusUsingExternalJobUri', (jobs) => jobs.byExternalUri(BY_URI)],
    ['GetActiveQueues', (jobs) => jobs.activeQueues()],
  ])('is not called for a requester that has gone: %s', async (method, call) => {
    const gone = client.jobs.for({ key: 'one', isGone: () => true });
    await expect(call(gone)).rejects.toMatchObject({ reason: 'the caller cancelled the call' });
    expect(calls(method)).toBe(0);
    await call(client.jobs);
    expect(calls(method)).toBe(1);
  });

  it('has at most four calls to answer at once', async () => {
    armada.faults.set({ jobsDelayMs: 3_600_000 });
    const { jobs } = client;
    const lookups = [
      jobs.status(jobIds(1)),
      jobs.errors(jobIds(1)),
      jobs.runDetails(['a']),
      jobs.byExternalUri(BY_URI),
      jobs.activeQueues(),
    ];
    for (const lookup of lookups) lookup.catch(() => undefined);
    const jobsCalls = (): number =>
      Object.entries(armada.calls.all()).reduce(
        (sum, [path, n]) => sum + (path.includes('api.Jobs') ? n : 0),
        0,
      );
    await eventually('four are called', () => jobsCalls() === 4);
    // Over the same connection: a fifth one would have come before it.
    await client.health();
    expect(jobsCalls()).toBe(4);
  });

  it('has at most 10,000 ids waiting for it, and 200 queries of their own', async () => {
    const { jobs } = client;
    const reason = expect.stringContaining('at most 10000 wait') as string;
    await expect(jobs.status(jobIds(10_001))).rejects.toMatchObject({ kind: 'unavailable', reason });
    const queries = Array.from({ length: 201 }, (_, n) =>
      jobs.byExternalUri({ ...BY_URI, externalJobUri: `${n}` }).then(
        () => '',
        (error: unknown) => (error as ArmadaJobsError).reason,
      ),
    );
    client.close();
    const refusals = (await Promise.all(queries)).filter((why) => why.includes('at most 200 wait'));
    expect(refusals.length).toBeGreaterThan(0);
  });

  it('is called in batches for more jobs than one call takes', async () => {
    const ids = jobIds(1_234);
    knowJobs(ids);
    expect((await client.jobs.status(ids)).size).toBe(1_234);
    expect(calls('GetJobStatus')).toBe(3);
  });

  it('is called once for concurrent lookups of the same jobs', async () => {
    knowJobs(jobIds(10));
    const lookups = jobIds(10).flatMap((jobId) => [
      client.jobs.status([jobId]),
      client.jobs.status([jobId, JobId('job-3')]),
    ]);
    expect((await Promise.all(lookups)).map(({ size }) => size)).toContain(2);
    expect(calls('GetJobStatus')).toBe(1);
    await Promise.all(
      [1, 2, 3].flatMap(() => [client.jobs.byExternalUri(BY_URI), client.jobs.activeQueues()]),
    );
    expect([calls('GetJobStatusUsingExternalJobUri'), calls('GetActiveQueues')]).toEqual([1, 1]);
  });

  it('is called with no more jobs than it accepts, after one refusal', async () => {
    armada.faults.set({ mostIds: 4 });
    const ids = jobIds(10);
    knowJobs(ids);
    expect((await client.jobs.details(ids, NOTHING)).size).toBe(10);
    expect(calls('GetJobDetails')).toBe(1 + 3);
    expect((await client.jobs.details(ids, NOTHING)).size).toBe(10);
    expect(calls('GetJobDetails')).toBe(4 + 3);
    expect((await client.jobs.errors(ids)).size).toBe(10);
    await expect(client.jobs.runDetails(ids)).resolves.toEqual(new Map());
  });

  it('returns the spec and the runs of a job on request', async () => {
    armada.replay(recording('preempt_api'));
    const preempted = JobId('01m85vrgp7whz55kx8f03d6510');
    for (const spec of [false, true]) {
      for (const runs of [false, true]) {
        const details = (await client.jobs.details([preempted], { spec, runs })).get(preempted);
        expect(details?.jobSpec !== undefined).toBe(spec);
        expect(details?.jobRuns).toHaveLength(runs ? 1 : 0);
        const runId = details?.latestRunId ?? '';
        expect((await client.jobs.runDetails([runId, 'no-such-run'])).get(runId)?.jobId).toBe(preempted);
      }
    }
  });

  it('finds jobs by their external URI', async () => {
    armada.replay(recording('externaluri'));
    const ask = (externalJobUri: string) =>
      client.jobs.byExternalUri({ queue: 'lab', jobset: recording('externaluri').jobSetId, externalJobUri });
    expect([...(await ask('airflow://dag/task0')).values()]).toEqual([
      JobState.SUCCEEDED,
      JobState.SUCCEEDED,
    ]);
    expect((await ask('airflow://dag/nope')).size).toBe(0);
    const asked = calls('GetJobStatusUsingExternalJobUri');
    expect((await ask('a\0b')).size).toBe(0);
    // Armada could not answer it.
    expect(calls('GetJobStatusUsingExternalJobUri')).toBe(asked);
  });

  it('is called with fewer jobs where the response is too large', async () => {
    const ids = jobIds(20);
    knowJobs(ids);
    for (const job of armada.state.jobs.values()) job.error = 'x'.repeat(100_000);
    const errors = await client.jobs.errors(ids);
    expect(ids.map((jobId) => errors.get(jobId)?.length)).toEqual(ids.map(() => 100_000));
  });

  it('is unsupported where an older Armada lacks it', async () => {
    armada.faults.set({ jobsUnimplemented: true });
    await expect(client.jobs.status([JobId('job')])).rejects.toMatchObject({ kind: 'unsupported' });
    await expect(client.jobs.details([JobId('job')], NOTHING)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('is refused where we have no permission', async () => {
    armada.faults.set({ jobsDenied: true });
    await expect(client.jobs.activeQueues()).rejects.toMatchObject({ kind: 'refused' });
  });

  it('is given up where it does not respond', async () => {
    armada.faults.set({ jobsDelayMs: 3_600_000 });
    await expect(client.jobs.status([JobId('job')])).rejects.toMatchObject({
      kind: 'unavailable',
      reason: expect.stringMatching(/^DEADLINE_EXCEEDED/) as string,
    });
  });

  it('is unavailable, with a reason, where the server is stopping or not reachable', async () => {
    armada.faults.set({ unavailable: true });
    const reason = 'UNAVAILABLE: the server is shutting down';
    await expect(client.jobs.status([JobId('job')])).rejects.toMatchObject({ kind: 'unavailable', reason });
    client.close();
    client = clientOf(`127.0.0.1:${await freePort()}`);
    await expect(client.jobs.errors([JobId('job')])).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('is not called by a closed client', async () => {
    client.close();
    await expect(client.jobs.status([JobId('job')])).rejects.toMatchObject({
      reason: 'this process is shutting down',
    });
  });
});
