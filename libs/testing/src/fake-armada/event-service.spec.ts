import { EventService } from '@ajs/contracts/api/event';
import { JobState } from '@ajs/contracts/api/submit';
import { Metadata, status } from '@grpc/grpc-js';
import { allRecordings, eventually, jobEvents } from '../index.js';
import { LIFE, SpecServer, idOf, kindOf } from './spec-server.js';

let server: SpecServer;
beforeEach(async () => (server = await SpecServer.start()));
afterEach(() => server.stop());

describe('recordings', () => {
  it.each(allRecordings())('$name is streamed byte for byte', async (recording) => {
    server.armada.replay(recording);
    const { messages, end } = await server.read({ queue: recording.queue, id: recording.jobSetId });
    expect(end.code).toBe(status.OK);
    expect(messages).toEqual(recording.messages.map(({ bytes }) => bytes));
  });

  it('resume after any message id, also inside an entry', async () => {
    const recording = allRecordings()[0];
    if (recording === undefined) throw new Error('no recording');
    server.armada.replay(recording);
    for (const [i, { id }] of recording.messages.entries()) {
      const request = { queue: recording.queue, id: recording.jobSetId, fromMessageId: id };
      const { messages } = await server.read(request);
      expect(messages.map(idOf)).toEqual(recording.messages.slice(i + 1).map((message) => message.id));
    }
  });
});

describe('GetJobSetEvents', () => {
  it('of a queue that does not exist is NOT_FOUND, with Armada’s text', async () => {
    const { end } = await server.read({ queue: 'nope' });
    expect(end).toEqual({ code: status.NOT_FOUND, details: '[GetJobSetEvents] Queue nope does not exist' });
  });

  it('of a job set without events is empty, or NOT_FOUND on request', async () => {
    expect(await server.read({ errorIfMissing: true })).toMatchObject({
      end: { code: status.NOT_FOUND, details: '[GetJobSetEvents] Jobset s for queue q does not exist' },
    });
    expect(await server.read({})).toMatchObject({ messages: [], end: { code: status.OK } });
  });

  it('refuses an invalid message id', async () => {
    expect((await server.read({ fromMessageId: 'x' })).end.code).toBe(status.INVALID_ARGUMENT);
  });

  it('delivers the messages that existed when it began, and ends although more come', async () => {
    const { state, events } = server.armada;
    const leased = jobEvents.leased({ jobId: 'j', queue: 'q', jobSetId: 's' });
    state.openLog('q', 's').append(leased);
    await server.setFaults({ hang: true });
    const read = server.open({});
    await eventually('the call is taken', () => events.streams === 1);
    state.openLog('q', 's').append(leased);
    await server.setFaults({});
    expect(await eventually('it ends', () => read.end)).toMatchObject({ code: status.OK });
    expect(read.messages).toHaveLength(1);
  });

  it('with watch stays open and delivers new messages', async () => {
    const watch = server.open({ watch: true });
    await eventually('the watch is open', () => server.armada.events.streams === 1);
    await server.submit();
    await eventually('the end of the job', () => watch.messages.map(kindOf).includes('succeeded'));
    expect(watch.end).toBeUndefined();
    expect(watch.messages.map(kindOf)).toEqual(LIFE);
    watch.call.cancel();
    await eventually('the server lets go of it', () => server.armada.events.streams === 0);
  });
});

describe('events of a change', () => {
  const stateOf = (jobId: string) => server.armada.state.jobs.get(jobId)?.state;

  it('are published some time after it, when api.Jobs has shown it', async () => {
    server.stop();
    server = await SpecServer.start({ stepMs: 60_000, eventDelayMs: [100, 200] });
    const submittedAt = performance.now();
    const jobId = await server.submit('sleep forever');
    expect(stateOf(jobId)).toBe(JobState.QUEUED);
    await eventually('events come', async () => (await server.read({})).messages.length > 0);
    // A timer may be early by one millisecond.
    expect(performance.now() - submittedAt).toBeGreaterThanOrEqual(99);
  });

  it('keep their order, whatever the delay of each', async () => {
    server.stop();
    server = await SpecServer.start({ eventDelayMs: [0, 50] });
    await server.submit();
    await eventually('its end is published', async () => (await server.read({})).messages.length === 6);
    expect((await server.read({})).messages.map(kindOf)).toEqual(LIFE);
  });
});

describe('Watch', () => {
  const watch = (jobSetId: string) => {
    const { path, requestSerialize } = EventService.watch;
    return server.stream(path, requestSerialize, { queue: 'q', jobSetId, fromId: '' });
  };

  it('delivers existing and new messages', async () => {
    await server.submit();
    const watched = watch('s');
    await eventually('the end of the job', () => watched.messages.map(kindOf).includes('succeeded'));
    expect(watched.end).toBeUndefined();
    watched.call.cancel();
  });

  it('of a job set without events is NOT_FOUND', async () => {
    const watched = watch('s');
    expect(await eventually('it ends', () => watched.end)).toMatchObject({ code: status.NOT_FOUND });
  });
});

describe('a deadline beyond 2^31 ms', () => {
  it('does not end a stream before its time', async () => {
    const deadlineIn = (ms: number) => {
      const call = server.client.makeServerStreamRequest(
        EventService.getJobSetEvents.path,
        EventService.getJobSetEvents.requestSerialize,
        (bytes) => bytes,
        { queue: 'q', id: 's', fromMessageId: '', watch: true, errorIfMissing: false },
        new Metadata(),
        { deadline: Date.now() + ms },
      );
      const ended: { code?: status } = {};
      call.on('status', ({ code }: { code: status }) => (ended.code = code));
      call.on('error', () => undefined);
      call.resume();
      return ended;
    };
    const long = deadlineIn(600 * 3_600_000);
    const short = deadlineIn(50);
    await eventually('the short one is over', () => short.code === status.DEADLINE_EXCEEDED);
    expect(long).toEqual({});
  });
});
