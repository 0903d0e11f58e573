import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { anonymous, fixedIdentity, withoutTls } from '@ajs/armada-credentials';
import { EventService, type JobSetRequest } from '@ajs/contracts/api/event';
import { HealthCheckResponse_ServingStatus as Serving } from '@ajs/contracts/api/health';
import { JobsService } from '@ajs/contracts/api/job';
import { QueueServiceService } from '@ajs/contracts/api/submit';
import { Cursor, JobId } from '@ajs/job-state';
import { eventually } from '@ajs/testing';
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { createArmadaClient, type ArmadaClient } from './index.js';

type Unary = (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) => void;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanups.splice(0).reverse()) cleanUp();
});

/** An Armada that answers these methods, and nothing to calls of others; returns its port. */
async function armadaWith(handlers: UntypedServiceImplementation): Promise<number> {
  const server = new Server();
  cleanups.push(() => server.forceShutdown());
  for (const service of [EventService, JobsService, QueueServiceService]) {
    const methods = Object.keys(service);
    server.addService(
      service,
      Object.fromEntries(methods.map((name) => [name, handlers[name] ?? (() => undefined)])),
    );
  }
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
}

function clientOf(port: number, identity = anonymous): ArmadaClient {
  const client = createArmadaClient({
    transport: withoutTls(`127.0.0.1:${port}`),
    identity,
    maxMessageBytes: 100_000,
    callsPerSecond: 1_000,
  });
  cleanups.push(() => client.close());
  return client;
}

/** What leads to a port, with the connections that were made. */
async function gatewayTo(port: number) {
  const sockets: Socket[] = [];
  const gateway = createServer((socket) => {
    sockets.push(socket);
    const onward = connect(port, '127.0.0.1');
    for (const one of [socket, onward]) one.on('error', () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    gateway.close();
  });
  return { port: (gateway.address() as AddressInfo).port, sockets };
}

describe('a client of Armada', () => {
  it.each([
    [Serving.SERVING, 'healthy'],
    [Serving.NOT_SERVING, 'Armada reports that it is not serving'],
    [Serving.UNKNOWN, 'Armada reports that it is not serving'],
  ])('says of an Armada whose Health responds %i: %s', async (status, verdict) => {
    const health: Unary = (_, reply) => reply(null, { status });
    const said = await clientOf(await armadaWith({ health }))
      .health()
      .then(
        () => 'healthy',
        (error: unknown) => (error as Error).message,
      );
    expect(said).toBe(verdict);
  });

  it('waits 3 s at most for Health, and 5 s for anything else', async () => {
    const deadlines: number[] = [];
    const note: Unary = (call) => {
      deadlines.push(Number(call.getDeadline()) - Date.now());
    };
    const client = clientOf(await armadaWith({ health: note, getQueue: note, getJobErrors: note }));
    const waitsFor = async (call: Promise<unknown>): Promise<number> => {
      call.catch(() => undefined);
      return eventually('it is called', () => deadlines.pop());
    };
    expect(await waitsFor(client.health())).toBeLessThanOrEqual(3_000);
    expect(await waitsFor(client.queueGrants.watchersOf('q'))).toBeLessThanOrEqual(5_000);
    expect(await waitsFor(client.jobs.errors([JobId('a')]))).toBeLessThanOrEqual(5_000);
  });

  it('asks as us whether we may watch the queue that is named', async () => {
    const reads: unknown[] = [];
    const getJobSetEvents = (call: ServerWritableStream<JobSetRequest, unknown>): void => {
      reads.push([call.request.queue, ...call.metadata.get('authorization')]);
      call.end();
    };
    const client = clientOf(await armadaWith({ getJobSetEvents }), fixedIdentity('Bearer ours'));
    expect(await client.mayWatch('named')).toBe('yes');
    expect(reads).toEqual([['named', 'Bearer ours']]);
  });

  it('has no state of a job that the response lacks, and takes it for none that Armada does not have', async () => {
    const getJobStatus: Unary = (_, reply) => reply(null, { jobStates: {} });
    const client = clientOf(await armadaWith({ getJobStatus }));
    await expect(client.jobs.status([JobId('a')])).rejects.toMatchObject({
      kind: 'unavailable',
      reason: "Armada's response lacks the state of a",
    });
  });

  it('leaves no connection open once it is closed', async () => {
    const { port, sockets } = await gatewayTo(await armadaWith({}));
    const client = clientOf(port);
    const source = client.events({ unknownKind: () => undefined, malformed: () => undefined });
    const streams = [
      { watch: true },
      { watch: false },
      { watch: false, skipUnreadable: () => undefined },
    ].map((kind) =>
      source.open(
        { key: { queue: 'q', jobSetId: 's' }, from: Cursor(''), ...kind },
        { message: () => undefined, end: () => undefined },
      ),
    );
    await eventually('each kind of stream has its connection', () => sockets.length === 3);
    for (const stream of streams) stream.cancel();
    expect(sockets.filter(({ closed }) => closed)).toEqual([]);
    client.close();
    await eventually('all are closed', () => sockets.every(({ closed }) => closed));
  });
});
