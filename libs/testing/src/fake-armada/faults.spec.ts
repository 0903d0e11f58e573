import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { FaultServiceService } from '@ajs/contracts/fakearmada/v1/faults';
import { status } from '@grpc/grpc-js';
import { eventually } from '../index.js';
import { LIFE, SpecServer, idOf, kindOf } from './spec-server.js';

let server: SpecServer;
beforeEach(async () => (server = await SpecServer.start()));
afterEach(() => server.stop());

async function endedJob(): Promise<void> {
  const jobId = await server.submit();
  await eventually('it ended', () => server.armada.state.jobs.get(jobId)?.state === JobState.SUCCEEDED);
}

describe('faults', () => {
  it('make every call UNAVAILABLE until they are cleared', async () => {
    await server.setFaults({ unavailable: true });
    expect((await server.read({})).end.code).toBe(status.UNAVAILABLE);
    await server.setFaults({});
    expect((await server.read({})).end.code).toBe(status.OK);
  });

  it('deny a queue, and hide one', async () => {
    await server.setFaults({ deniedQueues: ['q'] });
    expect((await server.read({})).end.code).toBe(status.PERMISSION_DENIED);
    await server.setFaults({ missingQueues: ['q'] });
    expect((await server.read({})).end.code).toBe(status.NOT_FOUND);
  });

  it('end streams with any code', async () => {
    for (const code of [status.OK, status.UNAVAILABLE, status.INTERNAL]) {
      const watch = server.open({ watch: true });
      await eventually('the watch is open', () => server.armada.events.streams === 1);
      expect(await server.call(FaultServiceService.endStreams, { code })).toEqual({ ended: 1 });
      expect(await eventually('it ended', () => watch.end)).toMatchObject({ code });
    }
  });

  it('hang: calls are accepted and get no response until the fault is over', async () => {
    await endedJob();
    await server.setFaults({ hang: true });
    const silent = server.open({});
    await eventually('the call is taken', () => server.armada.events.streams === 1);
    expect(silent).toMatchObject({ messages: [], end: undefined });
    await server.setFaults({});
    await eventually('it goes on', () => silent.end?.code === status.OK);
    expect(silent.messages).toHaveLength(6);
  });

  it('lose events to retention, without an error', async () => {
    await endedJob();
    await server.call(FaultServiceService.forgetEvents, { queue: 'q', jobSetId: 's', count: 4 });
    const { messages, end } = await server.read({});
    expect(messages.map(kindOf)).toEqual(['running', 'succeeded']);
    expect(end.code).toBe(status.OK);
  });

  it('repeat events under new ids', async () => {
    await endedJob();
    await server.call(FaultServiceService.duplicateEvents, { queue: 'q', jobSetId: 's', count: 2 });
    const { messages } = await server.read({});
    expect(messages.map(kindOf).slice(-4)).toEqual(['running', 'succeeded', 'running', 'succeeded']);
    expect(new Set(messages.map(idOf)).size).toBe(8);
  });
});

describe('one of Armada’s two sides behind the other', () => {
  const stateOf = async (jobId: string) =>
    (await server.call(JobsService.getJobStatus, { jobIds: [jobId] })).jobStates[jobId];

  it('stops events while api.Jobs goes on, and publishes them in their order afterwards', async () => {
    await server.setFaults({ eventsStopped: true });
    const watch = server.open({ watch: true });
    const jobId = await server.submit();
    await eventually('it has succeeded', async () => (await stateOf(jobId)) === JobState.SUCCEEDED);
    expect((await server.read({})).messages).toEqual([]);
    expect(watch).toMatchObject({ messages: [], end: undefined });
    await server.setFaults({});
    await eventually('all events have come', () => watch.messages.length === 6);
    expect(watch.messages.map(kindOf)).toEqual(LIFE);
  });

  it('delays api.Jobs while events go on', async () => {
    await server.setFaults({ lookoutLagMs: 3_600_000 });
    const jobId = await server.submit();
    await eventually('its end is published', async () => (await server.read({})).messages.length === 6);
    expect(await stateOf(jobId)).toBe(JobState.UNKNOWN);
    await server.setFaults({});
    expect(await stateOf(jobId)).toBe(JobState.SUCCEEDED);
  });

  it('never takes back what api.Jobs could have shown', async () => {
    await server.setFaults({ lookoutLagMs: 3_600_000 });
    const [jobId, other] = [await server.submit(), await server.submit()];
    await eventually('they ended', async () => (await server.read({})).messages.length === 12);
    await server.setFaults({});
    expect(await stateOf(other)).toBe(JobState.SUCCEEDED);
    await server.setFaults({ lookoutLagMs: 3_600_000 });
    expect(await stateOf(jobId)).toBe(JobState.SUCCEEDED);
  });
});
