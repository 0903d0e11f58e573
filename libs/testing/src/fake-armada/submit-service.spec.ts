import { JobsService } from '@ajs/contracts/api/job';
import { JobState, QueueServiceService, Queue, SubmitService } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { eventually, submitItem } from '../index.js';
import { SpecServer, kindOf } from './spec-server.js';

let server: SpecServer;
beforeEach(async () => (server = await SpecServer.start()));
afterEach(() => server.stop());

const job = (jobId: string) => server.armada.state.jobs.get(jobId);
const inState = (jobId: string, state: JobState): Promise<boolean> =>
  eventually(`it is ${state}`, () => job(jobId)?.state === state);
const kinds = async (): Promise<(string | undefined)[]> => (await server.read({})).messages.map(kindOf);

describe('submitted jobs', () => {
  it.each([
    ['exit 0', JobState.SUCCEEDED, ''],
    ['sh -c "exit 3"', JobState.FAILED, 'exit code 3'],
    ['fate=retried', JobState.SUCCEEDED, ''],
    ['fate=preempted', JobState.PREEMPTED, 'Preempted by scheduler'],
    ['fate=rejected', JobState.REJECTED, 'job does not fit on any node'],
    ['sleep forever', JobState.RUNNING, ''],
    ['sleep 1000; exit 1', JobState.RUNNING, ''],
  ])('that run "%s" reach state %i', async (command, state, error) => {
    const jobId = await server.submit(command);
    await inState(jobId, state);
    expect(job(jobId)?.error).toContain(error);
    const { jobStates } = await server.call(JobsService.getJobStatus, { jobIds: [jobId] });
    expect(jobStates).toEqual({ [jobId]: state });
  });

  it('can be refused one by one; the response has the order of the items', async () => {
    const answers = await server.submitAll([submitItem(), submitItem('fate=refused'), submitItem()]);
    expect(answers).toMatchObject([
      { error: '' },
      { jobId: '', error: 'the job was refused, as its pod spec requests' },
      { error: '' },
    ]);
    expect(server.armada.state.jobs.size).toBe(2);
  });

  it('are the same job for the same client id in a queue, whatever the job set', async () => {
    const first = await server.submit(undefined, { clientId: 'c' });
    expect(await server.submit(undefined, { clientId: 'c' }, 'another-set')).toBe(first);
    expect(await server.submit(undefined, { clientId: 'd' })).not.toBe(first);
  });

  it('need a queue and a job set', async () => {
    const request = { queue: 'nope', jobSetId: 's', jobRequestItems: [] };
    await expect(server.call(SubmitService.submitJobs, request)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
      details: 'could not find queue "nope"',
    });
    await expect(
      server.call(SubmitService.submitJobs, { ...request, queue: 'q', jobSetId: '' }),
    ).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe('running jobs', () => {
  const run = async (jobSetId = 's'): Promise<string> => {
    const jobId = await server.submit('sleep forever', {}, jobSetId);
    await inState(jobId, JobState.RUNNING);
    return jobId;
  };
  const names = { queue: 'q', jobSetId: 's', reason: 'enough' };

  it('can be cancelled; the response has every requested id', async () => {
    const [one, two] = [await run(), await run()];
    const request = { ...names, jobId: one, jobIds: [two, 'nope'] };
    expect(await server.call(SubmitService.cancelJobs, request)).toEqual({
      cancelledIds: [two, 'nope', one],
    });
    expect(job(one)).toMatchObject({
      state: JobState.CANCELLED,
      cancelReason: 'enough',
      cancelUser: 'anonymous',
      cancelTs: job(one)?.lastTransitionTs,
    });
    expect(job(two)?.state).toBe(JobState.CANCELLED);
  });

  it('are all cancelled in their job set where no id is given', async () => {
    const [one, two, other] = [await run(), await run(), await run('another-set')];
    const request = { ...names, jobId: '', jobIds: [] };
    expect(await server.call(SubmitService.cancelJobs, request)).toEqual({ cancelledIds: [''] });
    expect([one, two, other].map((jobId) => job(jobId)?.state)).toEqual([
      JobState.CANCELLED,
      JobState.CANCELLED,
      JobState.RUNNING,
    ]);
  });

  it('are cancelled with their job set, those in the states that the filter names', async () => {
    const jobId = await run();
    const filter = { states: [JobState.QUEUED] };
    await server.call(SubmitService.cancelJobSet, { ...names, filter });
    expect(job(jobId)?.state).toBe(JobState.RUNNING);
    await server.call(SubmitService.cancelJobSet, { ...names, filter: undefined });
    expect(job(jobId)?.state).toBe(JobState.CANCELLED);
  });

  it('can be preempted; the event names the run', async () => {
    const jobId = await run();
    await server.call(SubmitService.preemptJobs, { ...names, jobIds: [jobId] });
    expect(job(jobId)).toMatchObject({
      state: JobState.PREEMPTED,
      error: 'Preempted by anonymous - enough',
    });
    expect((await kinds()).slice(-3)).toEqual(['preempting', 'preempted', 'failed']);
  });

  it('can get another priority, and keep their state', async () => {
    const jobId = await run();
    const request = { ...names, jobIds: [jobId], newPriority: 3 };
    expect(await server.call(SubmitService.reprioritizeJobs, request)).toEqual({
      reprioritizationResults: { [jobId]: '' },
    });
    expect(job(jobId)?.state).toBe(JobState.RUNNING);
    expect((await kinds()).slice(-2)).toEqual(['reprioritizing', 'reprioritized']);
  });
});

describe('queues', () => {
  const queue = { ...Queue.decode(new Uint8Array()), name: 'new', priorityFactor: 2 };

  it('are created in one service and exist in the other', async () => {
    await server.call(QueueServiceService.createQueue, queue);
    expect(await server.call(SubmitService.getQueue, { name: 'new' })).toMatchObject({
      name: 'new',
      priorityFactor: 2,
    });
    await expect(server.call(SubmitService.createQueue, queue)).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
    });
  });

  it('need a name, and a priority factor of at least 1', async () => {
    for (const wrong of [{ name: '' }, { priorityFactor: 0.5 }]) {
      await expect(
        server.call(QueueServiceService.createQueue, { ...queue, ...wrong }),
      ).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    }
  });

  it('that do not exist are NOT_FOUND', async () => {
    expect(await server.call(QueueServiceService.getQueue, { name: 'q' })).toMatchObject({ name: 'q' });
    await expect(server.call(QueueServiceService.getQueue, { name: 'nope' })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });
});
