import { writeFileSync } from 'node:fs';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState, SubmitService } from '@ajs/contracts/api/submit';
import { TemporaryFolder, submitItem, unary } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { patiently } from './patiently.js';
import { Stack, pollCalmly, type LegacyAnswer, type RunningQuery } from './stack.js';

const KEY = { queue: 'absence', jobSetId: 's' };
const NOBODY = '01arz3ndektsv4rrffq69g5fav';

let stack: Stack;
let armada: Client;

afterEach(async () => {
  armada.close();
  await stack.stop();
});

async function begin(env: Record<string, string> = {}): Promise<void> {
  stack = await Stack.start(env);
  stack.armada.state.queues.add(KEY.queue);
  armada = new Client(stack.armadaAddress, credentials.createInsecure());
}

/** Submits a job to Armada itself, as the older operator does. */
async function submit(command?: string): Promise<string> {
  const request = { ...KEY, jobRequestItems: [submitItem(command)] };
  const { answer } = await unary(armada, SubmitService.submitJobs, request);
  return answer.jobResponseItems[0]?.jobId ?? '';
}

const cancel = (jobId: string) =>
  unary(armada, SubmitService.cancelJobs, { ...KEY, jobId, jobIds: [], reason: '' });

/** Polls until an answer is as it should be. Resolves to all answers. */
async function pollUntil(
  { client }: RunningQuery,
  jobId: string,
  isDone: (answer: LegacyAnswer) => boolean,
): Promise<LegacyAnswer[]> {
  const answers: LegacyAnswer[] = [];
  await patiently('the answer comes', async () => {
    const answer = await pollCalmly(client, KEY, jobId);
    answers.push(answer);
    return isDone(answer);
  });
  return answers;
}

const isState =
  (...states: LegacyAnswer['state'][]) =>
  ({ state }: LegacyAnswer): boolean =>
    states.includes(state);
const isNotFound = isState('JOB_ID_NOT_FOUND');

describe('a job that was submitted to Armada directly', () => {
  it('is found by the poll right after the submit, which waits for its event', async () => {
    await begin();
    const [query] = await Promise.all([stack.query(), stack.ingester()]);
    await pollUntil(query, NOBODY, isNotFound);
    const lookUps = stack.armada.calls.count('/api.Jobs/GetJobDetails');
    for (let i = 0; i < 5; i++) {
      const answers = await pollUntil(query, await submit('sleep forever'), isState('SUBMITTED', 'RUNNING'));
      expect(answers).toHaveLength(1);
    }
    expect(stack.armada.calls.count('/api.Jobs/GetJobDetails')).toBe(lookUps);
  }, 180_000);

  it('is never not found while Armada publishes no events: once it is old enough, its state is that of Armada’s api.Jobs', async () => {
    await begin({ FIRST_POLL_WAIT: '100ms', NOT_FOUND_GRACE: '5s', PROVISIONAL_JOB_GRACE: '1s' });
    const [query] = await Promise.all([stack.query(), stack.ingester()]);
    await pollUntil(query, NOBODY, isNotFound);
    stack.armada.faults.set({ eventsStopped: true, jobsUnavailable: true });
    const jobId = await submit('sleep forever');
    const isUnconfirmed = ({ error }: LegacyAnswer): boolean =>
      error.includes("but Armada may have it: Armada's api.Jobs failed");
    const answers = await pollUntil(query, jobId, isUnconfirmed);
    expect(answers[0]).toMatchObject({
      state: 'CONNECTION_ERR',
      error: expect.stringContaining('its id is younger than 5 s') as string,
    });
    // Later it may be stalled: its events are as late as all this takes.
    expect(answers[0]?.trailers.get('armada-job-set-subscription')).toEqual(['live']);
    stack.armada.faults.set({ eventsStopped: true });
    answers.push(...(await pollUntil(query, jobId, isState('RUNNING'))));
    await cancel(jobId);
    answers.push(...(await pollUntil(query, jobId, isState('CANCELLED'))));
    expect(answers.filter(isNotFound)).toEqual([]);
  }, 180_000);
});

describe('while Armada refuses the identity of the ingester', () => {
  let folder: TemporaryFolder;
  beforeEach(() => (folder = new TemporaryFolder('absence')));
  afterEach(() => folder.remove());

  /** The setting for an identity by a user name and a password. */
  const identity = (password: string): Record<string, string> => {
    const path = folder.file(`${password}.yaml`);
    writeFileSync(path, `armadaAuth: { basicAuth: { username: us, password: ${password} } }\n`);
    return { CONFIG_FILE: path };
  };

  it('states are those of Armada’s api.Jobs, or answered with the reason and their age', async () => {
    await begin({ FIRST_POLL_WAIT: '100ms', PROVISIONAL_JOB_GRACE: '1s' });
    stack.armada.security.rules = { basicUsers: { us: { password: 'right' } }, anonymous: true };
    await stack.ingester(identity('wrong'));
    const [query, refused] = [await stack.query(identity('right')), await stack.query(identity('wrong'))];
    const jobId = await submit('sleep forever');

    const first = await pollUntil(refused, jobId, ({ error }) => error.includes('UNAUTHENTICATED'));
    expect(first.at(-1)?.state).toBe('CONNECTION_ERR');

    const running = (await pollUntil(query, jobId, isState('RUNNING'))).at(-1);
    expect(running?.error).toBe('');
    expect(running?.trailers.get('armada-job-set-reason')).toEqual([
      expect.stringMatching('UNAUTHENTICATED'),
    ]);
    expect(await pollCalmly(refused.client, KEY, jobId)).toMatchObject({
      state: 'RUNNING',
      error: expect.stringMatching(
        /^last known state, never synced: .*UNAUTHENTICATED.*, and Armada's api.Jobs failed: UNAUTHENTICATED/,
      ) as string,
    });

    await cancel(jobId);
    await pollUntil(query, jobId, isState('CANCELLED'));
    expect(await pollCalmly(refused.client, KEY, jobId)).toMatchObject({ state: 'CANCELLED' });
    expect(
      (await unary(query.client, JobsService.getJobStatus, { jobIds: [jobId] })).answer.jobStates,
    ).toEqual({ [jobId]: JobState.CANCELLED });
  }, 180_000);
});
