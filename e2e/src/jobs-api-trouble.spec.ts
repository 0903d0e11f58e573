import { JobsService } from '@ajs/contracts/api/job';
import { JobState, JobSubmitRequestItem, SubmitService } from '@ajs/contracts/api/submit';
import { RedisServer, eventually, jobEvents, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { AppProcess } from './app-process.js';
import { Stack, poll } from './stack.js';

const KEY = { queue: 'trouble', jobSetId: 'jobs-api' };
const JOB = { ...KEY, jobId: '01m85vpdrj5nberk8nxabt2e07' };
const STATUS_CALLS = ['/api.Jobs/GetJobStatus', '/api.Jobs/GetJobDetails'];

let redis: RedisServer;
let stack: Stack;
let ingester: AppProcess;
let query: { app: AppProcess; client: Client };

/** A running job that is known and followed, over a Redis that keeps what it acknowledged. */
beforeEach(async () => {
  redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
  stack = await Stack.start({}, redis);
  ingester = await stack.ingester();
  query = await stack.query();
  stack.armada.state
    .openLog(KEY.queue, KEY.jobSetId)
    .append(jobEvents.running(JOB, { namespace: 'ns', annotations: {} }));
  expect((await poll(query.client, KEY, JOB.jobId)).state).toBe('RUNNING');
}, 60_000);

afterEach(() => stack.stop());

const stateOf = async (jobId: string, client = query.client) =>
  (await unary(client, JobsService.getJobStatus, { jobIds: [jobId] })).answer.jobStates[jobId];
const askedOfArmada = (): number =>
  STATUS_CALLS.reduce((sum, path) => sum + stack.armada.calls.count(path), 0);

it('a known job is known by its id after both applications and Redis were started anew, and Armada is not asked', async () => {
  // Nothing new is read: what is answered is what Redis kept.
  stack.armada.faults.set({ unavailable: true, jobsUnimplemented: true });
  await Promise.all([ingester.kill(), query.app.kill()]);
  await redis.kill();
  await redis.restart();
  const again = await stack.query();
  expect(await stateOf(JOB.jobId, again.client)).toBe(JobState.RUNNING);
});

it('a call is held while Redis is away, and answered when it is back', async () => {
  await redis.kill();
  const held = stateOf(JOB.jobId);
  await redis.restart();
  expect(await held).toBe(JobState.RUNNING);
  expect(askedOfArmada()).toBe(0);
});

it('where Redis stays away Armada is asked, and without Armada the call is UNAVAILABLE', async () => {
  const impatient = await stack.query({ REDIS_RETRY_TIMEOUT: '0ms' });
  await redis.kill();
  // Armada's own api.Jobs knows of no such job: its word counts, whatever the cache held.
  expect(await stateOf(JOB.jobId, impatient.client)).toBe(JobState.UNKNOWN);
  expect(askedOfArmada()).toBe(1);
  stack.armada.faults.set({ jobsUnavailable: true });
  await expect(stateOf(JOB.jobId, impatient.client)).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining("Redis is unavailable, and Armada's api.Jobs failed") as string,
  });
});

it('a job set that is refused is answered by Armada’s api.Jobs, with the last known state where it is silent', async () => {
  const armada = new Client(stack.armadaAddress, credentials.createInsecure());
  const item = { ...JobSubmitRequestItem.decode(new Uint8Array()), podSpecs: [Buffer.from('sleep forever')] };
  const submitted = await unary(armada, SubmitService.submitJobs, { ...KEY, jobRequestItems: [item] });
  const jobId = submitted.answer.jobResponseItems[0]?.jobId ?? '';
  await eventually('it runs', async () => (await stateOf(jobId)) === JobState.RUNNING);

  stack.armada.faults.set({ deniedQueues: [KEY.queue], jobsUnavailable: true });
  stack.armada.events.endStreams(status.UNAVAILABLE);
  await eventually('it is refused', async () => {
    const { trailers } = await poll(query.client, KEY, jobId);
    return trailers.get('armada-job-set-subscription')[0] === 'denied';
  });
  expect(await stateOf(jobId)).toBe(JobState.RUNNING);

  // What happens from here on only api.Jobs tells.
  await unary(armada, SubmitService.cancelJobs, { ...KEY, jobId, jobIds: [], reason: '' });
  armada.close();
  stack.armada.faults.set({ deniedQueues: [KEY.queue] });
  await eventually('Armada’s word is told', async () => (await stateOf(jobId)) === JobState.CANCELLED);
});
