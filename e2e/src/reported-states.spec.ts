import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { armadaJob, jobEvents, unary } from '@ajs/testing';
import { patiently } from './patiently.js';
import { Stack, poll, type RunningQuery } from './stack.js';
import { JOB, QUEUE, key, ref } from './traffic.js';

const JOB_IN_SET = ref(1, 0);
const { jobId } = JOB_IN_SET;

let stack: Stack;
afterEach(() => stack.stop());

async function apiState({ client }: RunningQuery): Promise<JobState | undefined> {
  const { answer } = await unary(client, JobsService.getJobStatus, { jobIds: [jobId] });
  return answer.jobStates[jobId];
}

async function detailsBy({ client }: RunningQuery) {
  const request = { jobIds: [jobId], expandJobSpec: false, expandJobRun: true };
  const { answer } = await unary(client, JobsService.getJobDetails, request);
  return answer.jobDetails[jobId];
}

describe('while Armada’s events lag behind its api.Jobs', () => {
  it('what one replica answered stays so for all replicas and both APIs, and the stream completes it', async () => {
    stack = await Stack.start({ PROVISIONAL_JOB_GRACE: '1s' });
    stack.armada.state.queues.add(QUEUE);
    const [one, other] = await Promise.all([stack.query(), stack.query(), stack.ingester()]);
    stack.armada.faults.set({ eventsStopped: true });

    const job = armadaJob(JOB_IN_SET);
    const { state: armada } = stack.armada;
    armada.move(job, JobState.QUEUED, jobEvents.submitted(job, JOB));
    armada.move(job, JobState.LEASED, jobEvents.leased(job));
    armada.move(job, JobState.RUNNING, jobEvents.running(job, JOB));
    expect(await apiState(one)).toBe(JobState.RUNNING);
    expect((await poll(other.client, key(1), jobId)).state).toBe('RUNNING');

    armada.move(job, JobState.FAILED, jobEvents.failed(job, 7, false), 'a text of api.Jobs');
    await patiently('the end is answered', async () => (await apiState(one)) === JobState.FAILED);
    // Nobody can ask Armada now: what is answered is in Redis.
    stack.armada.faults.set({ eventsStopped: true, jobsUnavailable: true });
    const told = await poll(other.client, key(1), jobId);
    expect([told.state, told.error]).toEqual(['FAILED', 'a text of api.Jobs']);
    expect(await apiState(other)).toBe(JobState.FAILED);

    stack.armada.faults.set({ jobsUnavailable: true });
    const states = new Set<string | undefined>();
    await patiently('the stream has filled it in', async () => {
      const [legacy, details] = await Promise.all([poll(one.client, key(1), jobId), detailsBy(other)]);
      states
        .add(legacy.state)
        .add(`${details?.state}`)
        .add(`${await apiState(one)}`);
      return legacy.error.startsWith('Container main failed') && details?.namespace === JOB.namespace;
    });
    expect(states).toEqual(new Set(['FAILED', `${JobState.FAILED}`]));
  }, 180_000);
});
