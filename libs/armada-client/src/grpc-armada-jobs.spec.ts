import { JobState } from '@ajs/contracts/api/submit';
import { FakeArmada, allRecordings, freePort, knownJob } from '@ajs/testing';
import { createArmadaClient, type ArmadaClient } from './index.js';

let armada: FakeArmada;
let client: ArmadaClient;

function clientOf(address: string): ArmadaClient {
  const counter = { unknownKind: () => undefined, malformed: () => undefined };
  return createArmadaClient({ address, largestMessageBytes: 1_000_000, callsPerSecond: 1_000, counter });
}

beforeEach(async () => {
  armada = new FakeArmada();
  client = clientOf(await armada.listen('127.0.0.1:0'));
});

afterEach(() => {
  client.close();
  armada.stop();
});

const NOTHING = { spec: false, runs: false };
const jobIds = (count: number): string[] => Array.from({ length: count }, (_, i) => `job-${i}`);

function knowJobs(ids: readonly string[]): void {
  for (const jobId of ids) {
    const job = knownJob(
      { jobId, queue: 'q', jobSetId: 's' },
      { state: JobState.RUNNING, error: `error of ${jobId}` },
    );
    armada.state.jobs.set(jobId, job);
  }
}

describe("Armada's own api.Jobs", () => {
  it('tells the states and errors of every recording', async () => {
    for (const recording of allRecordings()) {
      armada.replay(recording);
      const ids = Object.keys(recording.states);
      const states = await client.jobs.status(ids);
      for (const [jobId, name] of Object.entries(recording.states)) {
        expect(states.get(jobId)).toBe(JobState[name as keyof typeof JobState]);
      }
      expect(Object.fromEntries(await client.jobs.errors(ids))).toEqual(recording.errors);
    }
  });

  it('tells a state of every job, UNKNOWN where there is none; details and errors leave it out', async () => {
    knowJobs(['job']);
    const asked = ['job', 'no-such-job', 'job', 'not an id', ''];
    expect(Object.fromEntries(await client.jobs.status(asked))).toEqual({
      job: JobState.RUNNING,
      'no-such-job': JobState.UNKNOWN,
      'not an id': JobState.UNKNOWN,
      '': JobState.UNKNOWN,
    });
    expect(Object.fromEntries(await client.jobs.errors(asked))).toEqual({ job: 'error of job' });
    const details = await client.jobs.details(asked, NOTHING);
    expect([...details.values()]).toMatchObject([{ jobId: 'job', queue: 'q', jobset: 's' }]);
  });

  it('is asked for more jobs than one call can bring', async () => {
    const ids = jobIds(1_234);
    knowJobs(ids);
    expect((await client.jobs.status(ids)).size).toBe(1_234);
  });

  it('is asked for fewer jobs a call where the answer is too large', async () => {
    const ids = jobIds(20);
    knowJobs(ids);
    for (const job of armada.state.jobs.values()) job.error = 'x'.repeat(100_000);
    const errors = await client.jobs.errors(ids);
    expect(ids.map((jobId) => errors.get(jobId)?.length)).toEqual(ids.map(() => 100_000));
  });

  it('that an older Armada does not have is unsupported', async () => {
    armada.faults.set({ jobsUnimplemented: true });
    await expect(client.jobs.status(['job'])).rejects.toMatchObject({ kind: 'unsupported' });
    await expect(client.jobs.details(['job'], NOTHING)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('of a server that is stopping or not there is unavailable, and says why', async () => {
    armada.faults.set({ unavailable: true });
    const reason = 'UNAVAILABLE: the server is shutting down';
    await expect(client.jobs.status(['job'])).rejects.toMatchObject({ kind: 'unavailable', reason });
    client.close();
    client = clientOf(`127.0.0.1:${await freePort()}`);
    await expect(client.jobs.errors(['job'])).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('is not asked any more by a client that was closed', async () => {
    client.close();
    await expect(client.jobs.status(['job'])).rejects.toMatchObject({ reason: 'this process stops' });
  });
});
