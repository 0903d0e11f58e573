import { EventService, type EventStreamMessage } from '@ajs/contracts/api/event';
import { JobsService } from '@ajs/contracts/api/job';
import { JobStatusServiceService } from '@ajs/contracts/jobservice/v2/job_status_service';
import {
  JobState,
  QueueServiceService,
  JobSubmitRequestItem,
  SubmitService,
  type JobSubmitResponseItem,
} from '@ajs/contracts/api/submit';
import { NEW_METHOD, submitItem, unary, wireField, wireVarint } from '@ajs/testing';
import {
  Client,
  Metadata,
  compressionAlgorithms,
  credentials,
  status,
  type StatusObject,
} from '@grpc/grpc-js';
import type { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { Stack, poll } from './stack.js';

const UNREAD_SUBMIT =
  'Jobs of a forwarded submit not recorded, since Armada may read its messages differently. If its client is newer than this service, upgrade the service';

/** Callers submit and poll at the query's address only. */
let stack: Stack;
let query: AppProcess;
let client: Client;
let address: string;
let http: string;
const [queue, jobSetId] = ['forwarded', 'js'];

beforeAll(async () => {
  stack = await Stack.start({ PASS_THROUGH: 'on' });
  stack.armada.state.queues.add(queue);
  ({ app: query, client, grpc: address, http } = await stack.query());
}, 120_000);

afterAll(() => stack.stop());

async function submit(
  item: JobSubmitRequestItem,
  to: Client = client,
  inJobSet = jobSetId,
): Promise<JobSubmitResponseItem> {
  const request = { queue, jobSetId: inJobSet, jobRequestItems: [item] };
  const { answer } = await unary(to, SubmitService.submitJobs, request);
  const [only] = answer.jobResponseItems;
  if (only === undefined) throw new Error('no answer to the item');
  return only;
}

const stateOf = async (jobId: string): Promise<JobState | undefined> =>
  (await unary(client, JobsService.getJobStatus, { jobIds: [jobId] })).answer.jobStates[jobId];

const requestsToArmada = (): number =>
  Object.entries(stack.armada.calls.all()).reduce(
    (sum, [path, count]) => sum + (path.startsWith('/api.Jobs/') ? count : 0),
    0,
  );

describe('a job submitted through the query a moment ago', () => {
  // No ingester runs, and Armada's own api.Jobs is far behind: only the forwarded submit knows the job.
  beforeAll(() => stack.armada.faults.set({ lookoutLagMs: 3_600_000 }));
  afterAll(() => stack.armada.faults.set({ lookoutLagMs: 0 }));

  it('is answered as queued', async () => {
    const { jobId, error } = await submit(submitItem('sleep forever'));
    expect(error).toBe('');
    // Repeated for a machine so busy that Redis' reply takes longer than a query waits.
    await patiently('the job is queued', async () => (await stateOf(jobId)) === JobState.QUEUED);
    expect(await poll(client, { queue, jobSetId }, jobId)).toMatchObject({ state: 'SUBMITTED' });
  });

  it('is found by the external URI of its item', async () => {
    const externalJobUri = 'airflow://dag/task/1';
    const { jobId } = await submit(submitItem('sleep forever', { externalJobUri }));
    const request = { queue, jobset: jobSetId, externalJobUri };
    await patiently('the job is found', async () => {
      const { answer } = await unary(client, JobsService.getJobStatusUsingExternalJobUri, request);
      return Object.keys(answer.jobStates).join() === jobId;
    });
    const refs = [{ queue, jobSet: jobSetId, jobId }];
    const { answer } = await unary(client, JobStatusServiceService.batchGetJobs, { refs, maxAge: undefined });
    expect(answer.results[0]?.result?.value).toMatchObject({ externalUri: externalJobUri });
  });
});

describe('messages that decoders read differently', () => {
  /** Where Armada's decoder goes on, others end the message. */
  const TAG = Buffer.concat([wireVarint(2 ** 33), Buffer.of(0)]);
  const victim = 'of-others';

  // Only what the query has learned from the submit could be found.
  beforeAll(() => {
    stack.armada.state.queues.add(victim);
    stack.armada.faults.set({ lookoutLagMs: 3_600_000 });
  });
  afterAll(() => stack.armada.faults.set({ lookoutLagMs: 0 }));

  it('do not show a job to the callers of another queue than Armada accepted it for', async () => {
    const externalJobUri = 'airflow://planted';
    const item = JobSubmitRequestItem.encode(submitItem('sleep forever', { externalJobUri })).finish();
    const request = Buffer.concat([
      ...[wireField(1, victim), wireField(2, jobSetId), wireField(3, Buffer.from(item))],
      ...[TAG, wireField(1, queue)],
    ]);
    const submitJobs = { ...SubmitService.submitJobs, requestSerialize: (bytes: Buffer) => bytes };
    const [submitted] = (await unary(client, submitJobs, request)).answer.jobResponseItems;
    const jobId = submitted?.jobId ?? '';
    expect(stack.armada.state.jobs.get(jobId)).toMatchObject({ queue });
    for (const named of [victim, queue]) {
      const { answer } = await unary(client, JobsService.getJobStatusUsingExternalJobUri, {
        queue: named,
        jobset: jobSetId,
        externalJobUri,
      });
      expect(answer.jobStates).toEqual({});
    }
    expect(await (await fetch(`${http}/metrics`)).text()).toContain(
      'armada_job_service_submit_recording_failures_total 1',
    );
    expect(await query.logged(UNREAD_SUBMIT)).toMatchObject({
      problem: 'in the request, a tag or a length has more than 32 bits',
    });
  });

  it('do not hide a watch', async () => {
    const { path, responseDeserialize } = EventService.getJobSetEvents;
    const read = Buffer.concat([wireField(1, jobSetId), wireField(4, queue), TAG, Buffer.of(16, 1)]);
    const hidden = client.makeServerStreamRequest(path, (bytes: Buffer) => bytes, responseDeserialize, read);
    hidden.on('error', () => undefined);
    let end: StatusObject | undefined;
    hidden.on('status', (came) => (end = came));
    await patiently('it has ended or is a watch', () => end ?? stack.armada.events.watches > 0);
    expect(end?.code).toBe(status.INVALID_ARGUMENT);
    hidden.cancel();
  });
});

describe('a job submitted through the query', () => {
  beforeAll(() => stack.ingester());

  it('is followed to its end, without requests to Armada once its job set is synced', async () => {
    const { jobId } = await submit(submitItem('sleep 1'));
    const key = { queue, jobSetId };
    await patiently('the job set is synced', async () => {
      const { trailers } = await poll(client, key, jobId);
      return trailers.get('armada-job-set-subscription')[0] === 'live';
    });
    const before = requestsToArmada();
    await patiently('the job has succeeded', async () => (await stateOf(jobId)) === JobState.SUCCEEDED);
    expect(requestsToArmada()).toBe(before);
  });

  it('is the older job, with that job’s state, if its client id was used before', async () => {
    const armada = new Client(stack.armadaAddress, credentials.createInsecure());
    const older = await submit(submitItem('exit 0', { clientId: 'once' }), armada, 'elsewhere');
    armada.close();
    await patiently(
      'the older job has ended',
      () => stack.armada.state.jobs.get(older.jobId)?.state === JobState.SUCCEEDED,
    );
    const again = await submit(submitItem('exit 0', { clientId: 'once' }));
    expect(again.jobId).toBe(older.jobId);
    expect(await stateOf(again.jobId)).toBe(JobState.SUCCEEDED);
  });

  it('is an error in the answer, and no job, if Armada rejects it', async () => {
    expect(await submit(submitItem('fate=refused'))).toMatchObject({
      jobId: '',
      error: expect.stringContaining('refused') as string,
    });
  });

  it('is submitted even while Redis is unavailable', async () => {
    const alone = await stack.query({ REDIS_URL: 'redis://127.0.0.1:1' });
    const { jobId } = await submit(submitItem(), alone.client);
    expect(stack.armada.state.jobs.has(jobId)).toBe(true);
  });
});

describe('other methods', () => {
  it('are answered by Armada, errors and methods unknown to this version included', async () => {
    const { answer } = await unary(client, QueueServiceService.getQueue, { name: queue });
    expect(answer.name).toBe(queue);
    await expect(unary(client, QueueServiceService.getQueue, { name: 'nope' })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    const bytes = {
      path: NEW_METHOD,
      requestSerialize: (message: Buffer) => message,
      responseDeserialize: (message: Buffer) => message,
    };
    await unary(client, bytes, Buffer.from('anything'));
    expect(stack.armada.calls.count(NEW_METHOD)).toBe(1);
  });

  it('reach Armada compressed and with the caller’s credentials, as armadactl sends them', async () => {
    const armadactl = new Client(address, credentials.createInsecure(), {
      'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
    });
    const metadata = new Metadata();
    const authorization = `basic ${Buffer.from('user:password').toString('base64')}`;
    metadata.set('authorization', authorization);
    const { path, requestSerialize, responseDeserialize } = SubmitService.cancelJobs;
    const { jobId } = await submit(submitItem('sleep forever'));
    const request = { queue, jobSetId, jobId, jobIds: [], reason: 'enough' };
    await new Promise<void>((resolve, reject) => {
      armadactl.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    armadactl.close();
    expect(stack.armada.calls.metadata(path).at(-1)?.get('authorization')).toEqual([authorization]);
    await patiently('the job is cancelled', async () => (await stateOf(jobId)) === JobState.CANCELLED);
    // This service's own calls carry none of them.
    for (const own of Object.values(EventService)) {
      for (const sent of stack.armada.calls.metadata(own.path)) expect(sent.get('authorization')).toEqual([]);
    }
  });
});

describe('a watch through the query', () => {
  it('delivers events, is counted, and ends with UNAVAILABLE when the query stops', async () => {
    const { jobId } = await submit(submitItem('sleep forever'));
    const { path, requestSerialize, responseDeserialize } = EventService.getJobSetEvents;
    const request = { queue, id: jobSetId, watch: true, fromMessageId: '', errorIfMissing: false };
    const watch = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    const events: EventStreamMessage[] = [];
    watch.on('data', (event: EventStreamMessage) => events.push(event));
    watch.on('error', () => undefined);
    const ended = new Promise<StatusObject>((resolve) => watch.on('status', resolve));
    await patiently('the job is there', () =>
      events.some(({ message }) => message?.events?.value.jobId === jobId),
    );
    const metrics = await (await fetch(`${http}/metrics`)).text();
    expect(metrics).toContain('armada_job_service_forwarded_watches 1');
    expect(metrics).toMatch(/forwarded_calls_total\{service="api.Submit",code="OK"\} \d/);
    query.signal('SIGTERM');
    expect(await ended).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'this replica is shutting down; retry',
    });
    expect(await query.ended()).toBe(0);
  });
});
