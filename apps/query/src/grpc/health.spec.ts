import { EventEmitter } from 'node:events';
import { eventually, unary } from '@ajs/testing';
import { Client, credentials, status, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { RpcError } from '../rpc-error.js';
import type { GrpcCall } from './grpc-call.js';
import { GrpcServer } from './grpc-server.js';
import { Health } from './health.js';
import { FREE_PORT, PLAIN } from './testing/grpc-test-options.js';

const { Check, List, Watch } = service as unknown as Record<
  'Check' | 'List' | 'Watch',
  MethodDefinition<object, unknown>
>;
const SERVICES = ['', 'api.Jobs', 'jobservice.JobService', 'jobservice.v2.JobStatusService'];

let server: GrpcServer;
let client: Client;
beforeEach(async () => {
  server = new GrpcServer({ methods: [] }, PLAIN);
  client = new Client(`127.0.0.1:${await server.listen(FREE_PORT)}`, credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  await server.stop();
});

/** Each status of a service that a watch of it receives, and how the watch ends. */
function watch(name: string): { readonly told: unknown[]; readonly ended: Promise<ServiceError> } {
  const stream = client.makeServerStreamRequest(
    Watch.path,
    Watch.requestSerialize,
    Watch.responseDeserialize,
    { service: name },
  );
  const told: unknown[] = [];
  stream.on('data', (response: { readonly status: unknown }) => void told.push(response.status));
  return { told, ended: new Promise((resolve) => stream.once('error', resolve)) };
}

it('the server and each of its services are serving, and no others are known', async () => {
  for (const name of SERVICES) {
    expect((await unary(client, Check, { service: name })).answer).toEqual({ status: 'SERVING' });
  }
  await expect(unary(client, Check, { service: 'api.Submit' })).rejects.toMatchObject({
    code: status.NOT_FOUND,
  });
  expect((await unary(client, List, {})).answer).toEqual({
    statuses: Object.fromEntries(SERVICES.map((name) => [name, { status: 'SERVING' }])),
  });
});

it('a watch sends the status, stays open, and sends that the server stops before it ends', async () => {
  const [known, unknown] = [watch('api.Jobs'), watch('api.Submit')];
  await eventually('both are received', () => known.told.length + unknown.told.length === 2);
  expect([known.told, unknown.told]).toEqual([['SERVING'], ['SERVICE_UNKNOWN']]);
  await server.stop();
  expect((await known.ended).code).toBe(status.UNAVAILABLE);
  expect(known.told).toEqual(['SERVING', 'NOT_SERVING']);
});

it('ends every watch that is open where it stops, also after one that may hold no further message in memory', () => {
  const ended: status[] = [];
  const watchedBy = (sendMessage: () => void, stream = new EventEmitter()): GrpcCall =>
    ({
      stream,
      start: () => undefined,
      startRead: () => undefined,
      sendMessage,
      sendStatus: ({ code }: { readonly code: status }) => ended.push(code),
    }) as unknown as GrpcCall;
  const health = new Health([]);
  health.watch(
    watchedBy(() => {
      throw new RpcError(status.RESOURCE_EXHAUSTED, 'message memory used up');
    }),
  );
  health.watch(watchedBy(() => undefined));
  const closed = new EventEmitter();
  health.watch(watchedBy(() => undefined, closed));
  closed.emit('close');
  health.stop();
  expect(ended).toEqual([status.UNAVAILABLE, status.UNAVAILABLE]);
});
