import { JobsService } from '@ajs/contracts/api/job';
import { JobState, SubmitService } from '@ajs/contracts/api/submit';
import { RedisServer, SURVIVES_KILL, jobEvents, submitItem, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { AppProcess } from './app-process.js';
import { jobIdFor } from './job-ids.js';
import { patiently } from './patiently.js';
import { Stack, poll, pollCalmly } from './stack.js';

const KEY = { queue: 'trouble', jobSetId: 'jobs-api' };
const JOB = { ...KEY, jobId: '01m85vpdrj5nberk8nxabt2e07' };
const STATUS_CALLS = ['/api.Jobs/GetJobStatus', '/api.Jobs/GetJobDetails'];

let redis: RedisServer;
let stack: Stack;
let ingester: AppProcess;
let query: { app: AppProcess; client: Client };

/** A running job that is followed, over a Redis that keeps every acknowledged write. */
beforeEach(async () => {
  redis = await RedisServer.start(SURVIVES_KILL);
  stack = await Stack.start({}, redis);
  ingester = await stack.ingester();
  // Redis may take its time to come back.
  query = await stack.query({ REDIS_RETRY_TIMEOUT: '60s' });
  stack.armada.state
    .openLog(KEY.queue, KEY.jobSetId)
    .append(jobEvents.running(JOB, { namespace: 'ns', annotations: {} }));
  expect((await pollCalmly(query.client, KEY, JOB.jobId)).state).toBe('RUNNING');
}, 180_000);

afterEach(() => stack.stop());

const stateOf = async (jobId: string, client = query.client) =>
  (await unary(client, JobsService.getJobStatus, { jobIds: [jobId] })).answer.jobStates[jobId];
const requestsToArmada = (): number =>
  STATUS_CALLS.reduce((sum, path) => sum + stack.armada.calls.count(path), 0);

it('a job is found by its id after a restart of both applications and Redis, without a request to Armada', async () => {
  // Nothing can be read from Armada: the answer is what Redis kept.
  stack.armada.faults.set({ unavailable: true, jobsUnimplemented: true });
  await Promise.all([ingester.kill(), query.app.kill()]);
  await redis.kill();
  await redis.restart();
  const again = await stack.query();
  expect(await stateOf(JOB.jobId, again.client)).toBe(JobState.RUNNING);
});

it('a call waits while Redis is unavailable, and is answered when it is back', async () => {
  await redis.kill();
  const held = stateOf(JOB.jobId);
  await redis.restart();
  expect(await held).toBe(JobState.RUNNING);
  expect(requestsToArmada()).toBe(0);
});

it('a call is answered by Armada if Redis stays unavailable, and is UNAVAILABLE without Armada', async () => {
  const impatient = await stack.query({ REDIS_RETRY_TIMEOUT: '0ms' });
  await redis.kill();
  // Armada's own api.Jobs has no such job: its answer counts, whatever the cache held.
  expect(await stateOf(JOB.jobId, impatient.client)).toBe(JobState.UNKNOWN);
  expect(requestsToArmada()).toBe(1);
  stack.armada.faults.set({ jobsUnavailable: true });
  // Another job: what Armada said of the first one is reused for a moment.
  await expect(stateOf(jobIdFor('another'), impatient.client)).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining("Redis is unavailable, and Armada's api.Jobs failed") as string,
  });
});

it('a job set whose stream is denied is answered by Armada’s api.Jobs, or with the last known state while that fails', async () => {
  const armada = new Client(stack.armadaAddress, credentials.createInsecure());
  const request = { ...KEY, jobRequestItems: [submitItem('sleep forever')] };
  const submitted = await unary(armada, SubmitService.submitJobs, request);
  const jobId = submitted.answer.jobResponseItems[0]?.jobId ?? '';
  await patiently('the job is running', async () => (await stateOf(jobId)) === JobState.RUNNING);

  stack.armada.faults.set({ deniedQueues: [KEY.queue], jobsUnavailable: true });
  stack.armada.events.endStreams(status.UNAVAILABLE);
  await patiently('the stream is denied', async () => {
    const { trailers } = await poll(query.client, KEY, jobId);
    return trailers.get('armada-job-set-subscription')[0] === 'denied';
  });
  expect(await stateOf(jobId)).toBe(JobState.RUNNING);

  // From here on only api.Jobs shows what happens.
  await unary(armada, SubmitService.cancelJobs, { ...KEY, jobId, jobIds: [], reason: '' });
  armada.close();
  stack.armada.faults.set({ deniedQueues: [KEY.queue] });
  await patiently('Armada’s answer is passed on', async () => (await stateOf(jobId)) === JobState.CANCELLED);
});
