import { EventService, EventStreamMessage, type JobSetRequest } from '@ajs/contracts/api/event';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState, JobSubmitRequestItem, SubmitService } from '@ajs/contracts/api/submit';
import { FaultServiceService } from '@ajs/contracts/fakearmada/v1/faults';
import { Client, Metadata, credentials, status, type ClientReadableStream } from '@grpc/grpc-js';
import { allRecordings, eventually, unary } from '../index.js';
import { NO_FAULTS } from './faults.js';
import { FakeArmada } from './fake-armada.js';

const EMPTY = new Uint8Array();
const insecure = credentials.createInsecure();

let armada: FakeArmada;
let client: Client;

beforeEach(async () => {
  armada = new FakeArmada({ stepMs: 1 });
  client = new Client(await armada.listen('127.0.0.1:0'), insecure);
});

afterEach(() => {
  client.close();
  armada.stop();
});

interface End {
  readonly code: status;
  readonly details: string;
}

interface Stream {
  /** The messages, still serialized. */
  readonly messages: Buffer[];
  readonly call: ClientReadableStream<Buffer>;
  end: End | undefined;
}

function open(request: Partial<JobSetRequest>): Stream {
  const { path, requestSerialize } = EventService.getJobSetEvents;
  const call = client.makeServerStreamRequest<JobSetRequest, Buffer>(
    path,
    requestSerialize,
    (bytes) => bytes,
    { queue: 'q', id: 's', fromMessageId: '', watch: false, errorIfMissing: false, ...request },
    new Metadata(),
  );
  const stream: Stream = { messages: [], call, end: undefined };
  call.on('data', (bytes: Buffer) => stream.messages.push(bytes));
  call.on('status', ({ code, details }) => (stream.end = { code, details }));
  call.on('error', () => undefined);
  return stream;
}

async function read(request: Partial<JobSetRequest>): Promise<Pick<Stream, 'messages'> & { end: End }> {
  const stream = open(request);
  return { messages: stream.messages, end: await eventually('the read ends', () => stream.end) };
}

const kindOf = (bytes: Buffer): string | undefined => EventStreamMessage.decode(bytes).message?.events?.$case;
const idOf = (bytes: Buffer): string => EventStreamMessage.decode(bytes).id;

const setFaults = (some: Partial<typeof NO_FAULTS>) =>
  unary(client, FaultServiceService.setFaults, { ...NO_FAULTS, ...some });

async function submit(item: Partial<JobSubmitRequestItem> = {}): Promise<string> {
  armada.state.queues.add('q');
  const jobRequestItems = [{ ...JobSubmitRequestItem.decode(EMPTY), ...item }];
  const { answer } = await unary(client, SubmitService.submitJobs, {
    queue: 'q',
    jobSetId: 's',
    jobRequestItems,
  });
  return answer.jobResponseItems[0]?.jobId ?? '';
}

describe('recordings', () => {
  it.each(allRecordings())(
    '$name comes back byte for byte, and its states as they were',
    async (recording) => {
      armada.replay(recording);
      const { messages, end } = await read({ queue: recording.queue, id: recording.jobSetId });
      expect(end.code).toBe(status.OK);
      expect(messages).toEqual(recording.messages.map(({ bytes }) => bytes));

      const jobIds = [...Object.keys(recording.states), 'unknown-id'];
      const { jobStates } = (await unary(client, JobsService.getJobStatus, { jobIds })).answer;
      const { jobErrors } = (await unary(client, JobsService.getJobErrors, { jobIds })).answer;
      for (const [jobId, name] of Object.entries(recording.states)) {
        expect(jobStates[jobId]).toBe(JobState[name as keyof typeof JobState]);
      }
      expect(jobStates['unknown-id']).toBe(JobState.UNKNOWN);
      expect(jobErrors).toEqual(recording.errors);
    },
  );

  it('resume after any message id, also inside an entry', async () => {
    const recording = allRecordings()[0];
    if (recording === undefined) throw new Error('no recording');
    armada.replay(recording);
    for (const [i, { id }] of recording.messages.entries()) {
      const { messages } = await read({ queue: recording.queue, id: recording.jobSetId, fromMessageId: id });
      expect(messages.map(idOf)).toEqual(recording.messages.slice(i + 1).map((message) => message.id));
    }
  });
});

describe('GetJobSetEvents', () => {
  it('of a queue that does not exist is NOT_FOUND, in the words of Armada', async () => {
    const { end } = await read({ queue: 'nope' });
    expect(end).toEqual({ code: status.NOT_FOUND, details: '[GetJobSetEvents] Queue nope does not exist' });
  });

  it('of a job set in which nothing happened is empty, or NOT_FOUND where that was asked for', async () => {
    armada.state.queues.add('q');
    expect(await read({ errorIfMissing: true })).toMatchObject({
      end: { code: status.NOT_FOUND, details: '[GetJobSetEvents] Jobset s for queue q does not exist' },
    });
    expect(await read({})).toMatchObject({ messages: [], end: { code: status.OK } });
  });

  it('refuses a message id that is none', async () => {
    armada.state.queues.add('q');
    expect((await read({ fromMessageId: 'x' })).end.code).toBe(status.INVALID_ARGUMENT);
  });

  it('with watch stays open and brings what comes', async () => {
    armada.state.queues.add('q');
    const watch = open({ watch: true });
    await eventually('the watch is open', () => armada.events.streams === 1);
    await submit();
    await eventually('the end of the job', () => watch.messages.map(kindOf).includes('succeeded'));
    expect(watch.end).toBeUndefined();
    expect(watch.messages.map(kindOf)).toEqual([
      'submitted',
      'queued',
      'leased',
      'pending',
      'running',
      'succeeded',
    ]);
    watch.call.cancel();
    await eventually('the server lets go of it', () => armada.events.streams === 0);
  });
});

describe('submitted jobs', () => {
  it('fail with the exit code that their pod spec names', async () => {
    const jobId = await submit({ podSpecs: [Buffer.from('sh -c "exit 3"')] });
    await eventually('it failed', () => armada.state.jobs.get(jobId)?.state === JobState.FAILED);
    expect(armada.state.jobs.get(jobId)?.error).toContain('exit code 3');
  });

  it('run as long as their pod spec sleeps', async () => {
    const [long, short] = [await submit({ podSpecs: [Buffer.from('sleep 1000')] }), await submit()];
    const stateOf = (jobId: string): JobState | undefined => armada.state.jobs.get(jobId)?.state;
    await eventually(
      'both ran',
      () => stateOf(long) === JobState.RUNNING && stateOf(short) === JobState.SUCCEEDED,
    );
  });

  it('are the same job for the same client id', async () => {
    const first = await submit({ clientId: 'c' });
    expect(await submit({ clientId: 'c' })).toBe(first);
    expect(await submit({ clientId: 'd' })).not.toBe(first);
  });

  it('can be cancelled', async () => {
    armada.stop();
    client.close();
    armada = new FakeArmada({ stepMs: 3_600_000 });
    client = new Client(await armada.listen('127.0.0.1:0'), insecure);
    const jobId = await submit();
    const request = { jobId, jobSetId: 's', queue: 'q', jobIds: [], reason: 'enough' };
    expect((await unary(client, SubmitService.cancelJobs, request)).answer).toEqual({
      cancelledIds: [jobId],
    });
    expect(armada.state.jobs.get(jobId)?.state).toBe(JobState.CANCELLED);
  });

  it('need a queue', async () => {
    const request = { queue: 'nope', jobSetId: 's', jobRequestItems: [] };
    await expect(unary(client, SubmitService.submitJobs, request)).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });
});

describe('faults', () => {
  it('UNAVAILABLE, until they are cleared', async () => {
    armada.state.queues.add('q');
    await setFaults({ unavailable: true });
    expect((await read({})).end.code).toBe(status.UNAVAILABLE);
    await setFaults({});
    expect((await read({})).end.code).toBe(status.OK);
  });

  it('a queue that may not be watched, and one that is not there', async () => {
    armada.state.queues.add('q');
    await setFaults({ deniedQueues: ['q'] });
    expect((await read({})).end.code).toBe(status.PERMISSION_DENIED);
    await setFaults({ missingQueues: ['q'] });
    expect((await read({})).end.code).toBe(status.NOT_FOUND);
  });

  it('streams that end, with any code', async () => {
    armada.state.queues.add('q');
    for (const code of [status.OK, status.UNAVAILABLE, status.INTERNAL]) {
      const watch = open({ watch: true });
      await eventually('the watch is open', () => armada.events.streams === 1);
      expect((await unary(client, FaultServiceService.endStreams, { code })).answer).toEqual({ ended: 1 });
      expect(await eventually('it ended', () => watch.end)).toMatchObject({ code });
    }
  });

  it('silence: calls are taken and nothing comes, until it is over', async () => {
    const jobId = await submit();
    await eventually('it ended', () => armada.state.jobs.get(jobId)?.state === JobState.SUCCEEDED);
    await setFaults({ hang: true });
    const silent = open({});
    await eventually('the call is taken', () => armada.events.streams === 1);
    expect(silent).toMatchObject({ messages: [], end: undefined });
    await setFaults({});
    await eventually('it goes on', () => silent.end?.code === status.OK);
    expect(silent.messages).toHaveLength(6);
  });

  it('events lost to retention, without a word', async () => {
    const jobId = await submit();
    await eventually('it ended', () => armada.state.jobs.get(jobId)?.state === JobState.SUCCEEDED);
    await unary(client, FaultServiceService.forgetEvents, { queue: 'q', jobSetId: 's', count: 4 });
    const { messages, end } = await read({});
    expect(messages.map(kindOf)).toEqual(['running', 'succeeded']);
    expect(end.code).toBe(status.OK);
  });

  it('events that come again under new ids', async () => {
    const jobId = await submit();
    await eventually('it ended', () => armada.state.jobs.get(jobId)?.state === JobState.SUCCEEDED);
    await unary(client, FaultServiceService.duplicateEvents, { queue: 'q', jobSetId: 's', count: 2 });
    const { messages } = await read({});
    expect(messages.map(kindOf).slice(-4)).toEqual(['running', 'succeeded', 'running', 'succeeded']);
    expect(new Set(messages.map(idOf)).size).toBe(8);
  });

  it('servers without api.Jobs', async () => {
    await setFaults({ jobsUnimplemented: true });
    const asked = unary(client, JobsService.getJobStatus, { jobIds: ['x'] });
    await expect(asked).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe('living job sets', () => {
  it('move, and are the same for the same seed', async () => {
    armada.liveOn({ queue: 'demo', jobSets: 2, jobs: 5, rate: 1_000 });
    const ended = (): number =>
      Array.from(armada.state.jobs.values()).filter(({ state }) => state === JobState.SUCCEEDED).length;
    await eventually('jobs end, and new ones come', () => ended() > 0 && armada.state.jobs.size > 10);
    expect((await read({ queue: 'demo', id: 'demo-2' })).messages.length).toBeGreaterThan(10);
  });
});
