import { ArmadaJobsError, type ArmadaJobs, type ReportedJob } from '@ajs/armada-client';
import { JobDetails } from '@ajs/contracts/api/job';
import { JobState as ApiState } from '@ajs/contracts/api/submit';
import { JobId, type JobState } from '@ajs/job-state';
import { EventLagProbe } from './event-lag-probe.js';

const [A, B] = [JobId('a'), JobId('b')];

/** A probe, with what is polled and what Armada has in the hands of a test. */
function setUp() {
  const polled = new Map<JobId, JobState>();
  const armada = new Map<JobId, ApiState>();
  const asked: JobId[][] = [];
  const recorded: string[][] = [];
  const failures: Error[] = [];
  const details: ArmadaJobs['details'] = (jobIds) => {
    asked.push([...jobIds]);
    const failure = failures.shift();
    if (failure !== undefined) return Promise.reject(failure);
    const jobs = jobIds.flatMap((jobId) => {
      const state = armada.get(jobId);
      return state === undefined
        ? []
        : [[jobId, { ...JobDetails.decode(new Uint8Array()), jobId, state }] as const];
    });
    return Promise.resolve(new Map(jobs));
  };
  const probe = new EventLagProbe({
    sample: () => polled,
    armada: { details, errors: () => Promise.resolve(new Map()) },
    recorder: {
      record: (jobs: Iterable<ReportedJob>) => {
        recorded.push(Array.from(jobs, ({ report }) => report?.state ?? ''));
        return Promise.resolve(new Map());
      },
    },
  });
  return { probe, polled, armada, asked, recorded, failures };
}

describe('the probe for events that lag', () => {
  it('records in the next round what api.Jobs shows and the stream did not', async () => {
    const { probe, polled, armada, recorded } = setUp();
    polled.set(A, 'LEASED').set(B, 'RUNNING');
    armada.set(A, ApiState.SUCCEEDED).set(B, ApiState.RUNNING);
    await probe.run();
    expect(recorded).toEqual([]);
    polled.set(A, 'SUCCEEDED');
    await probe.run();
    await probe.run();
    expect(recorded).toEqual([['SUCCEEDED']]);
  });

  it('records once what it found, also where nobody polls or Armada does not answer after that', async () => {
    const { probe, polled, armada, recorded, failures } = setUp();
    for (const happens of [
      () => polled.clear(),
      () => failures.push(new ArmadaJobsError('unavailable', 'no')),
    ]) {
      recorded.length = 0;
      polled.set(A, 'LEASED');
      armada.set(A, ApiState.SUCCEEDED);
      await probe.run();
      happens();
      await probe.run();
      polled.clear();
      await probe.run();
      expect(recorded).toEqual([['SUCCEEDED']]);
    }
  });

  it('says nothing of jobs that Armada does not have, or has in a state that this version does not know', async () => {
    const { probe, polled, armada, recorded } = setUp();
    polled.set(A, 'RUNNING').set(B, 'RUNNING');
    armada.set(B, 99 as ApiState);
    await probe.run();
    await probe.run();
    expect(recorded).toEqual([]);
  });

  it('does not ask Armada while nobody polls', async () => {
    const { probe, asked } = setUp();
    await probe.run();
    expect(asked).toEqual([]);
  });

  it('goes on after Armada did not answer, and rejects at a defect', async () => {
    const { probe, polled, armada, recorded, failures } = setUp();
    polled.set(A, 'LEASED');
    armada.set(A, ApiState.RUNNING);
    failures.push(new ArmadaJobsError('unavailable', 'no'));
    await probe.run();
    await probe.run();
    await probe.run();
    expect(recorded).toEqual([['RUNNING']]);
    failures.push(new TypeError('undefined is not a function'));
    await expect(probe.run()).rejects.toThrow(TypeError);
  });
});
