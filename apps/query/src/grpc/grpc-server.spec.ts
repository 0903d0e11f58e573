import { once } from 'node:events';
import { connect, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import {
  JobServiceRequest,
  JobServiceService,
  type JobServiceResponse,
} from '@ajs/contracts/jobservice/jobservice';
import { msBetween } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { eventually, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import { GrpcServer, type GrpcServerOptions } from './grpc-server.js';
import { publicMethod, type UnaryMethod } from './unary-method.js';
import { FREE_PORT, PLAIN } from './testing/grpc-test-options.js';

const MEBIBYTE = 1024 * 1024;
const PATH = JobServiceService.getJobStatus.path;
const REQUEST = { queue: 'q', jobSetId: 's', jobId: 'j' };

let server: GrpcServer;
let port: number;
/** Calls that wait until a test responds. */
let held: (() => void)[];
/** Their deadlines. Milliseconds since the epoch. */
let heldUntil: number[];
/** How the calls have ended. */
let counted: status[];
const clients: Client[] = [];
const sockets: Socket[] = [];
const sessions: ClientHttp2Session[] = [];

/** Job `hold` waits for the test to respond. */
const getJobStatus: UnaryMethod<JobServiceRequest, JobServiceResponse> = {
  ...publicMethod(
    JobServiceService.getJobStatus,
    MEBIBYTE,
    async ({ jobId }: JobServiceRequest, caller): Promise<JobServiceResponse> => {
      if (jobId === 'hold') {
        heldUntil.push(msBetween(monotonicNow(), caller.deadline) + Date.now());
        await new Promise<void>((respond) => held.push(respond));
      }
      return { state: 0, error: caller.address() };
    },
  ),
  answered: (outcome) => counted.push(outcome instanceof RpcError ? outcome.code : status.OK),
};

async function serve(serving: Partial<GrpcServerOptions> = {}): Promise<void> {
  held = [];
  heldUntil = [];
  counted = [];
  server = new GrpcServer({ methods: [getJobStatus] }, { ...PLAIN, ...serving });
  port = await server.listen(FREE_PORT);
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const session of sessions.splice(0)) session.destroy();
  await server.stop();
});

function client(at = port): Client {
  const made = new Client(`127.0.0.1:${at}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  clients.push(made);
  return made;
}

/** Resolves to the peer of the call, as the server saw it. */
const ask = async (from: Client, jobId = 'j'): Promise<string> =>
  (await unary(from, JobServiceService.getJobStatus, { ...REQUEST, jobId })).answer.error;

async function tcp(): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** A connection whose client has received the settings of the server. */
async function http2(): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, { maxSendHeaderBlockLength: 2 ** 30 });
  sessions.push(session);
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  // The limits apply once the server knows that the client has received them.
  await new Promise<void>((resolve, reject) => {
    session.ping((error) => (error === null ? resolve() : reject(error)));
  });
  return session;
}

/** How a call ends: gRPC's status, or the error of HTTP/2. */
async function call(
  session: ClientHttp2Session,
  message: Buffer,
  headers: OutgoingHttpHeaders = {},
): Promise<string> {
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  let ended = '';
  for (const event of ['response', 'trailers']) {
    stream.on(event, (received: Record<string, unknown>) => {
      if (received['grpc-status'] !== undefined) ended = status[Number(received['grpc-status'])] ?? '';
    });
  }
  stream.on('error', (error: Error) => (ended = error.message));
  stream.resume();
  stream.end(message);
  await once(stream, 'close').catch(() => undefined);
  return ended;
}

/** As gRPC frames it. */
function framed(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

describe('a message', () => {
  const sized = (bytes: number): Buffer =>
    Buffer.from(JobServiceRequest.encode({ ...REQUEST, jobId: 'a'.repeat(bytes) }).finish());

  it('of less than 1 MiB is read', async () => {
    await serve();
    expect(await call(await http2(), framed(sized(1_000_000)))).toBe('OK');
  });

  it('that is larger is rejected, also where it is small only while it is compressed', async () => {
    await serve();
    const session = await http2();
    expect(await call(session, framed(sized(1024 * 1024)))).toBe('RESOURCE_EXHAUSTED');
    const bomb = framed(gzipSync(Buffer.alloc(64 * 1024 * 1024)), true);
    expect(bomb.length).toBeLessThan(100_000);
    expect(await call(session, bomb, { 'grpc-encoding': 'gzip' })).toBe('RESOURCE_EXHAUSTED');
    expect(await ask(client())).toContain('127.0.0.1');
  });

  it('in a compression that is not known is rejected, with those that are', async () => {
    await serve();
    const stream = (await http2()).request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-encoding': 'snappy',
    });
    stream.end(framed(sized(10), true));
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(headers).toMatchObject({
      'grpc-status': String(status.UNIMPLEMENTED),
      'grpc-accept-encoding': 'identity,deflate,gzip',
    });
  });
});

it('what is no call of gRPC is answered with a status of HTTP, and one of no method with UNIMPLEMENTED', async () => {
  await serve();
  const session = await http2();
  const message = framed(JobServiceRequest.encode(REQUEST).finish());
  const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'text/html' });
  const [response] = (await once(stream, 'response')) as [Record<string, unknown>];
  expect(response[':status']).toBe(415);
  stream.close();
  expect(await call(session, message, { ':path': '/no/method' })).toBe('UNIMPLEMENTED');
  expect(await call(session, message)).toBe('OK');
});

describe('headers', () => {
  const message = framed(JobServiceRequest.encode(REQUEST).finish());

  it('may contain an authorization of the largest size', async () => {
    await serve();
    expect(await call(await http2(), message, { authorization: 'a'.repeat(16 * 1024) })).toBe('OK');
  });

  it.each([
    ['in one', { x: 'a'.repeat(33 * 1024) }],
    ['in several', Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x-${i}`, 'a'.repeat(2_000)]))],
    ['in very many', Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`x-${i}`, 'a']))],
  ])('above the size limit %s end the call', async (_, headers) => {
    await serve();
    expect(await call(await http2(), message, headers)).toContain('NGHTTP2_ENHANCE_YOUR_CALM');
  });
});

it('an unknown method is named in the status, a long one by its beginning', async () => {
  await serve();
  const session = await http2();
  const statusOf = async (path: string): Promise<unknown> => {
    const stream = session
      .request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' })
      .end();
    const [received] = (await once(stream, 'response')) as [Record<string, unknown>];
    return received['grpc-message'];
  };
  expect(await statusOf('/api.Jobs/New')).toBe('there%20is%20no%20method%20/api.Jobs/New%20here');
  const beginning = `/${'a'.repeat(199)}`;
  expect(await statusOf(`${beginning}${'a'.repeat(20_000)}`)).toBe(
    `there%20is%20no%20method%20${beginning}%20here`,
  );
});

describe('a deadline', () => {
  const requestOf = (jobId: string): Buffer =>
    framed(JobServiceRequest.encode({ ...REQUEST, jobId }).finish());

  it.each([
    ['596H', 596],
    ['597H', 597],
    ['600H', 600],
    ['1176H', 1_176],
    ['35792M', 596.533],
    ['99999999S', 27_777.777],
    ['99999999H', 99_999_999],
  ])('of %s is that for the handler, and does not end the call before', async (timeout, hours) => {
    await serve();
    const session = await http2();
    const long = call(session, requestOf('hold'), { 'grpc-timeout': timeout });
    // Its timer starts after that of the long one, and is over after it, were the long one cut to 32 bits.
    expect(await call(session, requestOf('hold'), { 'grpc-timeout': '50m' })).toBe('DEADLINE_EXCEEDED');
    expect((heldUntil[0] ?? 0) / 3_600_000).toBeCloseTo(Date.now() / 3_600_000 + hours, 1);
    held[0]?.();
    expect(await long).toBe('OK');
  });

  it.each(['', '10', 'S', '10s', '-5S', '5 S', '1.5S', '123456789S', '5S, 5S', 'x5S'])(
    'that is malformed (%j) is rejected, whatever part of it could be read',
    async (timeout) => {
      await serve();
      const session = await http2();
      expect(await call(session, requestOf('j'), { 'grpc-timeout': timeout })).toBe('INTERNAL');
      expect(await call(session, requestOf('j'))).toBe('OK');
    },
  );
});

describe('a call that its caller does not wait for any more', () => {
  const message = framed(JobServiceRequest.encode({ ...REQUEST, jobId: 'hold' }).finish());

  it('is counted as that, though its method answers later', async () => {
    await serve();
    const session = await http2();
    expect(await call(session, message, { 'grpc-timeout': '50m' })).toBe('DEADLINE_EXCEEDED');
    expect(counted).toEqual([status.DEADLINE_EXCEEDED]);
    void call(session, message);
    await eventually('it is held, too', () => held.length === 2);
    session.destroy();
    await eventually('it is counted', () => counted.length === 2);
    expect(counted).toEqual([status.DEADLINE_EXCEEDED, status.CANCELLED]);
    for (const respond of held) respond();
    expect(await ask(client())).toContain('127.0.0.1');
    expect(counted.slice(2)).toEqual([status.OK]);
  });
});

describe('connections', () => {
  it('above the limit are rejected and reported, and accepted again once others close', async () => {
    let rejected = 0;
    await serve({ maxConnections: 3, onRejected: () => rejected++ });
    const [first] = [await tcp(), await tcp()];
    const third = await tcp();
    await eventually('the third is closed', () => third.closed);
    expect(rejected).toBe(1);
    first.destroy();
    await eventually('another is accepted', async () => (await ask(client())) !== '');
  });

  it('carry up to a thousand concurrent calls', async () => {
    await serve();
    expect((await http2()).remoteSettings.maxConcurrentStreams).toBe(1_000);
  });

  it('that are idle are closed, also those that never carried a call', async () => {
    await serve({ idleMs: 100 });
    const [silent, idle] = [await tcp(), await http2()];
    silent.resume();
    await eventually('both are closed', () => silent.closed && idle.closed);
  });

  it('that the server ended are closed even if their peer never closes them', async () => {
    await serve({ idleMs: 100, maxConnections: 1 });
    // It never reads, and so never notices the end.
    await tcp();
    await eventually('another is accepted', async () => (await ask(client())) !== '');
  });

  it('with a running call are not idle', async () => {
    // Longer than the machine takes from a connection to its first call.
    await serve({ idleMs: 2_000 });
    const session = await http2();
    const waiting = call(session, framed(JobServiceRequest.encode({ ...REQUEST, jobId: 'hold' }).finish()));
    await eventually('the call is held', () => held.length === 1);
    const idle = await http2();
    await eventually('another is closed', () => idle.closed);
    expect(session.closed).toBe(false);
    held[0]?.();
    expect(await waiting).toBe('OK');
  });

  it('that reach their age are replaced by their clients, without a failed call', async () => {
    await serve({ maxAgeMs: 200 });
    let connections = 0;
    const relay = createServer((socket) => {
      connections++;
      const onward = connectTcp(port, '127.0.0.1');
      for (const end of [socket, onward]) sockets.push(end.on('error', () => undefined));
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const from = client((relay.address() as AddressInfo).port);
    const waiting = ask(from, 'hold');
    await eventually('the call is held', () => held.length === 1);
    await eventually('the client connected again, twice', async () => {
      await ask(from);
      return connections >= 3;
    });
    held[0]?.();
    expect(await waiting).toBe('127.0.0.1');
    relay.close();
  });

  it('that outlive their grace period are closed, with the calls that still run', async () => {
    await serve({ maxAgeMs: 100, ageGraceMs: 100 });
    await expect(ask(client(), 'hold')).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it('are closed when the server stops and their calls do not finish', async () => {
    await serve();
    const aborted = expect(ask(client(), 'hold')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await eventually('the call is held', () => held.length === 1);
    await server.stop();
    await aborted;
  });
});
