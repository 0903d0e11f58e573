import { ArmadaJobsError, type ArmadaJobs, type Requester } from '@ajs/armada-client';
import { MonotonicTime, JobId } from '@ajs/job-state';
import { status } from '@grpc/grpc-js';
import { FakeArmadaJobs } from '../jobs-api/testing/fake-armada-jobs.js';
import { Admission } from '../load/admission.js';
import { RpcError } from '../rpc-error.js';
import { testCaller } from '../testing/test-caller.js';
import { armadaFor } from './armada-for.js';

const caller = testCaller({ key: 'a caller', deadline: MonotonicTime(Infinity) });
const JOB_ID = JobId('01k00000000000000000000000');
const NO_WAY = new Error('not reached');

describe("Armada's api.Jobs on behalf of a caller", () => {
  let requesters: Requester[];
  let armada: FakeArmadaJobs;
  const forCaller = (admission: Admission): ArmadaJobs =>
    armadaFor(
      Object.assign(armada, {
        for: (requester: Requester) => {
          requesters.push(requester);
          return armada;
        },
      }),
      (call, work) => admission.waiting(call, work),
    )(caller);

  beforeEach(() => {
    requesters = [];
    armada = new FakeArmadaJobs();
    armada.add(JOB_ID);
  });

  it.each<[string, (jobs: ArmadaJobs) => Promise<unknown>]>([
    ['status', (jobs) => jobs.status([JOB_ID])],
    ['details', (jobs) => jobs.details([JOB_ID], { spec: false, runs: true })],
    ['errors', (jobs) => jobs.errors([JOB_ID])],
    ['byExternalUri', (jobs) => jobs.byExternalUri({ queue: 'q', jobset: 's', externalJobUri: 'uri' })],
    ['runDetails', (jobs) => jobs.runDetails(['run'])],
    ['activeQueues', (jobs) => jobs.activeQueues()],
  ])('is asked in its turn, while its call waits and another is processed: %s', async (method, ask) => {
    const admission = new Admission({ working: 1, waiting: 1 }, () => undefined);
    const jobs = forCaller(admission);
    const asked = admission.run(caller, () => ask(jobs));
    expect(await admission.run({ ...caller, key: 'another' }, () => Promise.resolve('served'))).toBe(
      'served',
    );
    await asked;
    expect(requesters).toEqual([caller]);
    expect(armada.calls.map(([name]) => name)).toEqual([method]);
  });

  it('counts as unavailable where too many calls wait, and is not asked', async () => {
    const admission = new Admission({ working: 3, waiting: 1 }, () => undefined);
    const other = { ...caller, key: 'another' };
    let end = (): void => undefined;
    const waits = admission.run(other, () =>
      admission.waiting(other, () => new Promise<void>((resolve) => (end = resolve))),
    );
    const asked = admission.run(caller, () => forCaller(admission).errors([JOB_ID]));
    await expect(asked).rejects.toBeInstanceOf(ArmadaJobsError);
    await expect(asked).rejects.toMatchObject({
      kind: 'unavailable',
      reason: expect.stringContaining('MAX_WAITING_CALLS') as string,
    });
    expect(armada.calls).toEqual([]);
    end();
    await waits;
  });

  it.each([
    ['an error', NO_WAY],
    ['a call that was cancelled', new RpcError(status.CANCELLED, 'the caller cancelled the call')],
  ])('fails as Armada fails: %s', async (_, failure) => {
    const admission = new Admission({ working: 3, waiting: 1 }, () => undefined);
    armada.errors = () => Promise.reject(failure);
    await expect(admission.run(caller, () => forCaller(admission).errors([JOB_ID]))).rejects.toBe(failure);
  });
});
