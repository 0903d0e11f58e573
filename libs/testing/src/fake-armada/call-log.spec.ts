import { JobsService } from '@ajs/contracts/api/job';
import { SubmitService } from '@ajs/contracts/api/submit';
import { FaultServiceService } from '@ajs/contracts/fakearmada/v1/faults';
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { eventually, unary } from '../index.js';
import { NEW_METHOD } from './fake-armada.js';
import { SpecServer } from './spec-server.js';

let server: SpecServer;
beforeEach(async () => (server = await SpecServer.start()));
afterEach(() => server.stop());

const STATUS = '/api.Jobs/GetJobStatus';
const asTheyAre = (bytes: Buffer): Buffer => bytes;

/** Calls a method of bytes with metadata of one's own. */
function callRaw(path: string, metadata: Metadata, messages: readonly Buffer[] = []) {
  const call = server.client.makeBidiStreamRequest(path, asTheyAre, asTheyAre, metadata);
  const heard = {
    messages: [] as Buffer[],
    headers: undefined as Metadata | undefined,
    status: undefined as StatusObject | undefined,
  };
  call.on('data', (message: Buffer) => heard.messages.push(message));
  call.on('metadata', (headers: Metadata) => (heard.headers = headers));
  call.on('status', (end: StatusObject) => (heard.status = end));
  call.on('error', () => undefined);
  for (const message of messages) call.write(message);
  call.end();
  return heard;
}

describe('the call log', () => {
  it('counts calls by method, in memory and over the wire', async () => {
    expect(server.armada.calls.count(STATUS)).toBe(0);
    for (let i = 0; i < 3; i++) await server.call(JobsService.getJobStatus, { jobIds: ['x'] });
    await server.read({});
    expect(server.armada.calls.count(STATUS)).toBe(3);
    const { calls } = await server.call(FaultServiceService.countCalls, {});
    expect(calls).toMatchObject({ [STATUS]: 3, '/api.Event/GetJobSetEvents': 1 });
  });

  it('counts calls that fail, too', async () => {
    await server.setFaults({ jobsUnavailable: true });
    await expect(server.call(JobsService.getJobStatus, { jobIds: ['x'] })).rejects.toThrow();
    expect(server.armada.calls.count(STATUS)).toBe(1);
  });

  it('keeps the metadata of calls, the newest last', async () => {
    for (const authorization of ['Bearer one', 'Bearer two']) {
      const metadata = new Metadata();
      metadata.set('authorization', authorization);
      const heard = callRaw(NEW_METHOD, metadata);
      await eventually('it ends', () => heard.status);
    }
    const sent = server.armada.calls.metadata(NEW_METHOD).map((metadata) => metadata.get('authorization'));
    expect(sent).toEqual([['Bearer one'], ['Bearer two']]);
  });
});

describe('metadata added to responses', () => {
  it('comes with every method, in headers and trailers', async () => {
    server.armada.calls.added.headers.set('x-head', 'a');
    server.armada.calls.added.trailers.set('grpc-status-details-bin', Buffer.from('details'));
    const { trailers } = await unary(server.client, SubmitService.health, {});
    expect(trailers.get('grpc-status-details-bin')).toEqual([Buffer.from('details')]);
    const heard = callRaw(NEW_METHOD, new Metadata(), [Buffer.from('m')]);
    await eventually('it ends', () => heard.status);
    expect(heard.headers?.get('x-head')).toEqual(['a']);
    expect(heard.status?.metadata.get('grpc-status-details-bin')).toEqual([Buffer.from('details')]);
  });

  it('comes with errors, too', async () => {
    server.armada.calls.added.trailers.set('x-why', 'b');
    const call = unary(server.client, SubmitService.getQueue, { name: 'nope' });
    const error: unknown = await call.catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: status.NOT_FOUND });
    expect((error as { metadata: Metadata }).metadata.get('x-why')).toEqual(['b']);
  });
});

describe('methods outside our contracts', () => {
  it('echo every message', async () => {
    const messages = ['one', 'two', 'three'].map((text) => Buffer.from(text));
    const heard = callRaw(NEW_METHOD, new Metadata(), messages);
    expect((await eventually('it ends', () => heard.status)).code).toBe(status.OK);
    expect(heard.messages).toEqual(messages);
  });

  it('can be added, with any status', async () => {
    server.armada.addMethod('/api.Other/Refuse', (call) => {
      const metadata = new Metadata();
      metadata.set('x-own', 'c');
      call.emit('error', { code: status.DATA_LOSS, details: 'gone', metadata });
    });
    const heard = callRaw('/api.Other/Refuse', new Metadata());
    const end = await eventually('it ends', () => heard.status);
    expect(end).toMatchObject({ code: status.DATA_LOSS, details: 'gone' });
    expect(end.metadata.get('x-own')).toEqual(['c']);
  });

  it('are UNIMPLEMENTED unless they were added', async () => {
    const heard = callRaw('/api.Submit/Nothing', new Metadata());
    expect((await eventually('it ends', () => heard.status)).code).toBe(status.UNIMPLEMENTED);
  });
});
