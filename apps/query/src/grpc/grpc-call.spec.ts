import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { eventually } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { MessageBudget } from '../load/message-budget.js';
import type { PassThrough } from '../pass-through/pass-through.js';
import type { RpcError } from '../rpc-error.js';
import type { GrpcCall } from './grpc-call.js';
import { GrpcServer, type GrpcServerOptions } from './grpc-server.js';
import { FREE_PORT, PLAIN } from './testing/grpc-test-options.js';
import type { UnaryMethod } from './unary-method.js';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** Asks reflection for its services. */
const LIST_SERVICES = Buffer.from([0, 0, 0, 0, 2, 0x3a, 0]);
/** What a message of 100 bytes begins with. */
const BEGUN = Buffer.from([0, 0, 0, 0, 100, 1]);

let server: GrpcServer;
let session: ClientHttp2Session;
/** The calls that their specs own, in their order. */
let calls: GrpcCall[];
/** What was reported to the owner of the calls. */
let told: string[];

async function serve(options: Partial<GrpcServerOptions> = {}, methods: UnaryMethod[] = []): Promise<void> {
  calls = [];
  told = [];
  const passThrough = {
    maxRequestBytes: MEBIBYTE,
    forwarderOf: (path: string) => (path === '/a/b' ? own : undefined),
    endWatches: () => undefined,
  } as unknown as PassThrough;
  const budget = new MessageBudget(4 * MEBIBYTE, () => undefined);
  server = new GrpcServer({ methods, passThrough }, { ...PLAIN, budget, ...options });
  session = connect(`http://127.0.0.1:${await server.listen(FREE_PORT)}`);
  session.on('error', () => undefined);
}
afterEach(async () => {
  session.destroy();
  await server.stop();
});

function own(call: GrpcCall): void {
  calls.push(call);
  const fail = (error: RpcError): void => {
    told.push(error.message);
    call.sendStatus(error);
  };
  try {
    call.start({
      onMessage: ({ bytes }) => told.push(`message of ${bytes.length}`),
      onHalfClose: () => told.push('end'),
      onProblem: fail,
      onCancel: () => told.push('cancelled'),
    });
    call.startRead();
  } catch (error) {
    fail(error as RpcError);
  }
}

interface Opened {
  readonly stream: ClientHttp2Stream;
  /** Bytes that have come. */
  bytes: number;
  /** The status that the call has ended with. */
  code: status | undefined;
}

/** A call of which the client reads nothing before it resumes its stream. */
function open(path = '/a/b', headers: Record<string, string> = {}): Opened {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const opened: Opened = { stream, bytes: 0, code: undefined };
  stream.on('error', () => undefined);
  for (const event of ['response', 'trailers']) {
    stream.on(event, (received: Record<string, unknown>) => {
      if (received['grpc-status'] !== undefined) opened.code = Number(received['grpc-status']);
    });
  }
  return opened;
}

function read(opened: Opened): Opened {
  opened.stream.on('data', ({ length }: Buffer) => (opened.bytes += length));
  return opened;
}

/** A call of the client, and as its owner here has it. */
async function openOwn(headers: Record<string, string> = {}): Promise<[Opened, GrpcCall]> {
  const count = calls.length;
  const opened = open('/a/b', headers);
  return [opened, await eventually('the call is there', () => calls[count])];
}

const hasEnded = (opened: Opened): Promise<status> => eventually('it has ended', () => opened.code);

describe('what a call holds in memory', () => {
  it('is what it held before where it may not keep more: its caller takes what it was sent', async () => {
    await serve();
    const [opened, call] = await openOwn();
    // More than the window of its stream.
    for (let n = 0; n < 2; n++) call.sendMessage(Buffer.alloc(MEBIBYTE / 2));
    expect(() => call.keep(16 * MEBIBYTE)).toThrow('message memory used up');
    call.sendStatus({ code: status.RESOURCE_EXHAUSTED, details: 'too much' });
    read(opened);
    expect(await hasEnded(opened)).toBe(status.RESOURCE_EXHAUSTED);
    expect(opened.bytes).toBe(MEBIBYTE + 2 * 5);
    await eventually('the call is closed', () => call.stream.destroyed);
  });

  it('does not include a message that could not be sent', async () => {
    await serve();
    const [opened, call] = await openOwn();
    expect(() => call.sendMessage(Buffer.alloc(16 * MEBIBYTE))).toThrow('message memory used up');
    call.sendMessage(Buffer.alloc(MEBIBYTE));
    read(opened);
    await eventually('it is taken', () => opened.bytes === MEBIBYTE + 5);
  });

  it('is given back as its messages are taken, each of which is reported once, and when it closes', async () => {
    await serve();
    const [opened, call] = await openOwn();
    read(opened);
    let taken = 0;
    for (let n = 1; n <= 6; n++) {
      call.sendMessage(Buffer.alloc(MEBIBYTE), () => taken++);
      await eventually('it is taken', () => taken === n);
    }
    call.sendMessage(Buffer.alloc(2 * MEBIBYTE), () => taken++);
    await eventually('all is taken', () => taken === 7);
    // Of the same caller, which may have three quarters of it.
    const [closing, second] = await openOwn();
    second.keep(2 * MEBIBYTE);
    const [, third] = await openOwn();
    expect(() => third.keep(2 * MEBIBYTE)).toThrow('message memory used up');
    read(closing).stream.end();
    second.sendStatus({ code: status.OK, details: '' });
    await eventually('its memory is free', () => {
      third.keep(2 * MEBIBYTE);
      return true;
    });
  });

  it('is something for each call, so that no caller opens as many as it likes', async () => {
    await serve({ budget: new MessageBudget(64 * KIBIBYTE, () => undefined) });
    for (let n = 0; n < 4; n++) await openOwn();
    expect(told).toEqual([expect.stringContaining('share of message memory used up') as string]);
  });

  it('is nothing for a call that there is no memory for, which is answered as its method answers that', async () => {
    const poll: UnaryMethod<unknown, { state: number; error: string }> = {
      definition: JobServiceService.getJobStatus,
      maxRequestBytes: KIBIBYTE,
      answer: () => ({ response: { state: 0, error: '' } }),
      failed: (error) => ({ response: { state: 7, error: (error as Error).message } }),
    };
    // A quarter of it is for refusals: what a stream takes.
    const budget = new MessageBudget(64 * KIBIBYTE, () => undefined);
    budget.open('another caller').hold(64 * KIBIBYTE);
    await serve({ budget }, [poll]);
    const opened = read(open(JobServiceService.getJobStatus.path));
    opened.stream.end(Buffer.alloc(5));
    expect(await hasEnded(opened)).toBe(status.OK);
    expect(opened.bytes).toBeGreaterThan(5);
  });
});

describe('a call whose caller does not go on', () => {
  it('with a message that it has begun is ended, and one that sends nothing after its message is not', async () => {
    await serve({ requestTimeoutMs: 1_500 });
    const [idle, begun] = [read(open(REFLECTION)), read(open(REFLECTION))];
    for (const { stream } of [idle, begun]) stream.write(LIST_SERVICES);
    await eventually('both are answered', () => idle.bytes > 0 && begun.bytes > 0);
    begun.stream.write(BEGUN);
    expect(await hasEnded(begun)).toBe(status.DEADLINE_EXCEEDED);
    expect(idle.code).toBeUndefined();
    idle.stream.end();
    expect(await hasEnded(idle)).toBe(status.OK);
  });

  it('and takes nothing is ended, and one that has taken all is not', async () => {
    await serve({ responseTimeoutMs: 4_000 });
    const [[idle, toIdle], [, toDeaf]] = [await openOwn(), await openOwn()];
    read(idle);
    for (const call of [toIdle, toDeaf]) call.sendMessage(Buffer.alloc(MEBIBYTE));
    await eventually('it is taken', () => idle.bytes > MEBIBYTE);
    await eventually('the other is ended', () => toDeaf.stream.destroyed);
    expect([toIdle.isOver, told]).toEqual([false, ['cancelled']]);
  });

  it('and does not end its request, although it has its answer, is closed', async () => {
    await serve();
    const [opened, call] = await openOwn();
    read(opened);
    call.sendStatus({ code: status.OK, details: '' });
    expect(await hasEnded(opened)).toBe(status.OK);
    await eventually('it is closed', () => call.stream.destroyed);
  });
});

it('a call whose deadline passes is cancelled, and its caller gets an error that says so', async () => {
  await serve();
  const [opened] = await openOwn({ 'grpc-timeout': '100m' });
  read(opened);
  expect(await hasEnded(opened)).toBe(status.DEADLINE_EXCEEDED);
  expect(told).toEqual(['cancelled']);
});

it('a request that ends within a message is answered as invalid, and its owner is given nothing of it', async () => {
  await serve();
  const [opened] = await openOwn();
  read(opened).stream.end(BEGUN);
  expect(await hasEnded(opened)).toBe(status.INVALID_ARGUMENT);
  expect(told).toEqual(['the request ends within a message']);
});

it('a call is closed as soon as its client closes its connection', async () => {
  await serve();
  const [, call] = await openOwn();
  session.destroy();
  await once(session, 'close');
  await eventually('it is closed', () => call.stream.destroyed);
  expect(told).toEqual(['cancelled']);
});
