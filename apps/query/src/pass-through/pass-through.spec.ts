import { withoutTls } from '@ajs/armada-credentials';
import type { ArmadaPermissions, ArmadaVerdict } from '@ajs/auth';
import type { JobsServer } from '@ajs/contracts/api/job';
import { JobSetRequest, WatchRequest } from '@ajs/contracts/api/event';
import { JobServiceService, type JobServiceServer } from '@ajs/contracts/jobservice/jobservice';
import { Metrics } from '@ajs/observability';
import { eventually, freePort } from '@ajs/testing';
import { Metadata, compressionAlgorithms, status } from '@grpc/grpc-js';
import { randomBytes } from 'node:crypto';
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { GrpcServer } from '../grpc/grpc-server.js';
import { ANY_PORT, PLAIN } from '../grpc/served-grpc.js';
import type { ExchangeObserver } from './forwarded-call.js';
import { PassThrough } from './pass-through.js';
import { RawClient, RawServer, outcomeOf, type RawServerCall } from './testing/raw-calls.js';
import { WatchRights } from './watch-rights.js';

const SUBMIT = '/api.Submit/SubmitJobs';
const NEW_METHOD = '/api.Submit/ThatNobodyKnows';
const LEASE = '/api.Executor/LeaseJobRuns';
const EVENTS = '/api.Event/GetJobSetEvents';
const WATCH = '/api.Event/Watch';
const MEBIBYTE = 1024 * 1024;
const MOST_CALLS = 5;

const HELLO = Buffer.from('hello');
const request = (watch: boolean): Buffer =>
  Buffer.from(
    JobSetRequest.encode({ queue: 'q', id: 's', watch, fromMessageId: '', errorIfMissing: false }).finish(),
  );

let armada: RawServer;
let armadaAddress: string;
let metrics: Metrics;
let passThrough: PassThrough;
let server: GrpcServer;
let client: RawClient;
let address: string;
let mayWatch: ArmadaPermissions['mayWatch'];
let observers: Map<string, ExchangeObserver>;
let session: ClientHttp2Session | undefined;

const legacy: JobServiceServer = {
  getJobStatus: (call, callback) =>
    callback({ code: status.NOT_FOUND, details: call.request.jobId.slice(0, 9) }),
  health: (_call, callback) => callback(null, { status: 1 }),
};

const CHECK_EVERY_MS = 20;
const unanswered = (): never => {
  throw new Error('no test calls it');
};
const jobs: JobsServer = {
  getJobStatus: unanswered,
  getJobStatusUsingExternalJobUri: unanswered,
  getJobDetails: unanswered,
  getJobErrors: unanswered,
  getJobRunDetails: unanswered,
  getActiveQueues: unanswered,
};

/** Sends back what comes, and ends when the caller does. */
function echo(call: RawServerCall): void {
  call.on('data', (message: Buffer) => call.write(message));
  call.on('end', () => call.end());
}

function withHeaders(headers: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return metadata;
}

async function start(): Promise<void> {
  metrics = new Metrics();
  passThrough = new PassThrough({
    transport: withoutTls(armadaAddress),
    services: ['api.Submit', 'api.Executor', 'api.Event'],
    largestRequestBytes: 4 * MEBIBYTE,
    largestAnswerBytes: 4 * MEBIBYTE,
    mostWatches: 2,
    mostCalls: MOST_CALLS,
    watchRights: new WatchRights(
      { mayWatch: (authorization, queue) => mayWatch(authorization, queue) },
      CHECK_EVERY_MS,
    ),
    observers,
    metrics,
  });
  server = new GrpcServer({ legacy, jobs, passThrough }, PLAIN);
  address = `127.0.0.1:${await server.listen(ANY_PORT)}`;
  client = new RawClient(address);
}

beforeEach(async () => {
  armada = new RawServer([SUBMIT, NEW_METHOD, LEASE, EVENTS, WATCH, '/api.Jobs/GetJobStatus', '/api.Node/X']);
  armada.answer = echo;
  armadaAddress = await armada.listen();
  observers = new Map();
  mayWatch = () => Promise.resolve('yes');
  await start();
});

afterEach(async () => {
  client.close();
  session?.destroy();
  armada.stop();
  await server.stop();
  passThrough.close();
});

async function restart(to: string): Promise<void> {
  client.close();
  await server.stop();
  passThrough.close();
  armadaAddress = to;
  await start();
}

const seen = (call: number): RawServerCall => {
  const kept = armada.calls[call];
  if (kept === undefined) throw new Error(`Armada has seen no call ${call}`);
  return kept;
};

const counted = async (): Promise<Record<string, number>> => {
  const { values } = await metrics.forwardedCalls.get();
  return Object.fromEntries(values.map(({ labels, value }) => [`${labels.service} ${labels.code}`, value]));
};

/** Begins anew, with a relay before Armada whose connections can be cut. */
async function startBehindProxy(): Promise<Set<Socket>> {
  const [host, port] = armadaAddress.split(':');
  const sockets = new Set<Socket>();
  const relay = createServer((socket) => {
    const onward = connectTcp(Number(port), host);
    for (const end of [socket, onward]) sockets.add(end.on('error', () => undefined));
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  relay.unref();
  await restart(`127.0.0.1:${(relay.address() as AddressInfo).port}`);
  return sockets;
}

/** A call by a client that knows HTTP/2 only: it sets any header, and reads nothing before it is told to. */
function rawCall(headers: Record<string, string> = {}): ClientHttp2Stream {
  session = connect(`http://${address}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': SUBMIT,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.end(Buffer.from([0, 0, 0, 0, 0]));
  return stream;
}

describe('a forwarded call', () => {
  it.each([SUBMIT, NEW_METHOD])('brings the bytes of %s there and back', async (path) => {
    const message = randomBytes(200_000);
    const { messages, status: end } = await client.call(path, message);
    expect(end).toMatchObject({ code: status.OK });
    expect(messages).toHaveLength(1);
    expect(messages[0]?.equals(message)).toBe(true);
    expect(await counted()).toEqual({ 'api.Submit OK': 1 });
  });

  it('brings metadata there, and initial and trailing metadata back, text and bytes', async () => {
    const bytes = randomBytes(40);
    armada.answer = (call) => {
      const initial = new Metadata();
      initial.set('x-initial', 'i');
      initial.set('x-initial-bin', bytes);
      call.sendMetadata(initial);
      const trailing = new Metadata();
      trailing.set('x-trailing', 't');
      trailing.set('x-trailing-bin', bytes);
      call.end(trailing);
    };
    const metadata = new Metadata();
    metadata.set('x-text', 'a, b');
    metadata.add('x-bytes-bin', bytes);
    metadata.add('x-bytes-bin', Buffer.from('second'));
    const { initial, status: end } = await client.call(SUBMIT, HELLO, metadata);
    expect(seen(0).metadata.get('x-text')).toEqual(['a, b']);
    expect(seen(0).metadata.get('x-bytes-bin')).toEqual([bytes, Buffer.from('second')]);
    expect(initial?.getMap()).toMatchObject({ 'x-initial': 'i', 'x-initial-bin': bytes });
    expect(end.metadata.getMap()).toMatchObject({ 'x-trailing': 't', 'x-trailing-bin': bytes });
  });

  it('ends with the error of Armada: code, details, and bytes of details', async () => {
    const details = randomBytes(100);
    armada.answer = (call) => {
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', details);
      metadata.set('x-more', 'm');
      call.emit('error', { code: status.ALREADY_EXISTS, details: 'queue “q” 100% there\n#1', metadata });
    };
    const { messages, status: end } = await client.call(SUBMIT, HELLO);
    expect(messages).toEqual([]);
    expect(end).toMatchObject({ code: status.ALREADY_EXISTS, details: 'queue “q” 100% there\n#1' });
    expect(end.metadata.getMap()).toMatchObject({ 'grpc-status-details-bin': details, 'x-more': 'm' });
    expect(await counted()).toEqual({ 'api.Submit ALREADY_EXISTS': 1 });
  });

  it('brings every message that came before an error, also to a caller that lags', async () => {
    // More than HTTP/2 takes in for a stream that is not read.
    const message = Buffer.alloc(16 * 1024);
    armada.answer = (call) => {
      for (let i = 0; i < 12; i++) call.write(message);
      call.emit('error', { code: status.ABORTED, details: 'no more' });
    };
    const call = rawCall();
    await eventually('Armada has ended it', () => armada.calls[0]?.cancelled);
    let bytes = 0;
    call.on('data', (data: Buffer) => (bytes += data.length));
    const trailers = await new Promise<IncomingHttpHeaders>((resolve) => call.on('trailers', resolve));
    expect(trailers['grpc-status']).toBe(`${status.ABORTED}`);
    expect(bytes).toBe(12 * (5 + message.length));
  });

  it('streams both ways at once, and ends when the caller’s half does', async () => {
    const call = client.open(LEASE);
    const outcome = outcomeOf(call);
    for (let i = 0; i < 3; i++) {
      const message = Buffer.from([i]);
      const back = new Promise((resolve) => call.once('data', resolve));
      call.write(message);
      expect(await back).toEqual(message);
    }
    call.end();
    expect(await outcome).toMatchObject({ status: { code: status.OK } });
    expect((await outcome).messages).toHaveLength(3);
  });

  it('ends when Armada ends it, though the caller’s half is open', async () => {
    armada.answer = (call) => call.end();
    const call = client.open(LEASE);
    call.write(HELLO);
    expect((await outcomeOf(call)).status.code).toBe(status.OK);
  });

  it('may have no message', async () => {
    const call = client.open(LEASE);
    call.end();
    expect(await outcomeOf(call)).toMatchObject({ messages: [], status: { code: status.OK } });
    expect(armada.calls).toHaveLength(1);
  });

  it.each([
    ['before anything came', () => undefined],
    ['after a message came', (call: RawServerCall) => void call.write(HELLO)],
  ])('is cancelled at Armada when the caller cancels it %s', async (_, answer) => {
    armada.answer = answer;
    const call = client.open(LEASE);
    const outcome = outcomeOf(call);
    call.write(HELLO);
    await eventually('Armada has it', () => armada.calls.length === 1);
    call.cancel();
    expect((await outcome).status.code).toBe(status.CANCELLED);
    await eventually('Armada knows', () => seen(0).cancelled);
    expect(await counted()).toEqual({ 'api.Executor CANCELLED': 1 });
  });

  it('has what is left of the caller’s time, and no longer', async () => {
    let leftMs = Infinity;
    armada.answer = (call) => (leftMs = Number(call.getDeadline()) - Date.now());
    const ends: status[] = [];
    // On a machine that stalls for that long, the caller's time is over before.
    await eventually('Armada has it in time', async () => {
      ends.push((await client.call(SUBMIT, HELLO, undefined, Date.now() + 1_000)).status.code);
      return leftMs < Infinity;
    });
    expect(new Set(ends)).toEqual(new Set([status.DEADLINE_EXCEEDED]));
    expect(leftMs).toBeLessThanOrEqual(1_000);
    await eventually('Armada knows', () => seen(0).cancelled);
    // Whichever comes first: the end of the time by our clock, or the caller's leaving at its end.
    const [ended] = Object.keys(await counted());
    expect(ended).toMatch(/^api.Submit (DEADLINE_EXCEEDED|CANCELLED)$/);
  });

  it('has no deadline where the caller has none', async () => {
    await client.call(SUBMIT, HELLO);
    expect(seen(0).getDeadline()).toBe(Infinity);
  });

  it('may come compressed', async () => {
    client.close();
    client = new RawClient(address, {
      'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
    });
    const message = Buffer.alloc(MEBIBYTE, 'armadactl');
    const { messages } = await client.call(SUBMIT, message);
    expect(messages[0]?.equals(message)).toBe(true);
    expect(seen(0).metadata.get('grpc-encoding')).toEqual([]);
  });

  it.each([
    ['a request', 5 * MEBIBYTE, 0],
    ['a compressed request', 5 * MEBIBYTE, compressionAlgorithms.gzip],
  ])('is ended by %s that is too large, with the limit', async (_, bytes, algorithm) => {
    client.close();
    client = new RawClient(address, { 'grpc.default_compression_algorithm': algorithm });
    const { status: end } = await client.call(SUBMIT, Buffer.alloc(bytes));
    expect(end).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(end.details).toContain(`${4 * MEBIBYTE}`);
    await eventually('Armada lets go of it', () => armada.calls.every((call) => call.cancelled));
  });

  it('is ended by an answer that is too large, with the limit', async () => {
    armada.answer = (call) => call.write(Buffer.alloc(5 * MEBIBYTE));
    const { messages, status: end } = await client.call(SUBMIT, HELLO);
    expect([messages, end.code]).toEqual([[], status.RESOURCE_EXHAUSTED]);
    expect(end.details).toContain(`${4 * MEBIBYTE}`);
  });

  it('to a server that is not there says so, with its address', async () => {
    await restart(`127.0.0.1:${await freePort()}`);
    const { status: end } = await client.call(SUBMIT, HELLO);
    expect(end.code).toBe(status.UNAVAILABLE);
    expect(end.details).toContain(`Armada at ${armadaAddress} cannot be reached: `);
  });

  it('whose connection to Armada is lost says so, with the address; the next one finds Armada again', async () => {
    armada.answer = (call) => void call.write(HELLO);
    const sockets = await startBehindProxy();
    const call = client.open(LEASE);
    call.write(HELLO);
    const outcome = outcomeOf(call);
    await new Promise((resolve) => call.once('data', resolve));
    for (const socket of sockets) socket.destroy();
    expect((await outcome).status).toMatchObject({
      code: status.UNAVAILABLE,
      details: `the connection to Armada at ${armadaAddress} was lost`,
    });
    armada.answer = echo;
    await eventually(
      'Armada answers',
      async () => (await client.call(SUBMIT, HELLO)).status.code === status.OK,
    );
  });

  it('that Armada itself calls unavailable is told in Armada’s words', async () => {
    armada.answer = (call) => call.emit('error', { code: status.UNAVAILABLE, details: 'my store is away' });
    expect((await client.call(SUBMIT, HELLO)).status.details).toBe('my store is away');
  });
});

describe('memory', () => {
  const MESSAGE = Buffer.alloc(64 * 1024);

  /** Writes for as long as it may; counts. */
  function flood(
    target: { write(message: Buffer): boolean; once(event: 'drain', then: () => void): unknown },
    count: () => boolean,
  ): void {
    while (count()) {
      if (!target.write(MESSAGE)) {
        target.once('drain', () => flood(target, count));
        return;
      }
    }
  }

  it('is bounded where the caller is slow: Armada is slowed, too', async () => {
    const wanted = 1_000;
    let sent = 0;
    armada.answer = (call) => {
      flood(call, () => sent++ < wanted);
    };
    const call = client.open(LEASE);
    call.write(HELLO);
    let received = 0;
    // The first message, and then nothing is taken any more.
    await new Promise<void>((resolve) => call.once('readable', resolve));
    const stuck = await settled(() => sent);
    expect(stuck).toBeLessThan(100);
    call.on('data', () => received++);
    await eventually('all is there', () => received === wanted);
    call.cancel();
  });

  it('is bounded where Armada is slow: the caller is slowed, too', async () => {
    const wanted = 1_000;
    let sent = 0;
    armada.answer = (call) => call.pause();
    const call = client.open(LEASE);
    flood(call, () => sent++ < wanted);
    await eventually('Armada has it', () => armada.calls.length === 1);
    const stuck = await settled(() => sent);
    expect(stuck).toBeLessThan(150);
    let received = 0;
    seen(0)
      .on('data', () => received++)
      .resume();
    await eventually('all is there', () => received === wanted);
    call.cancel();
  });

  /** A number that has stopped growing. */
  async function settled(look: () => number): Promise<number> {
    let last = -1;
    let same = 0;
    return eventually('it stops', () => {
      same = look() === last ? same + 1 : 0;
      last = look();
      return same >= 20 ? last : undefined;
    });
  }
});

describe('credentials and headers', () => {
  it('carry exactly the caller’s authorization, or none', async () => {
    await client.call(SUBMIT, HELLO, withHeaders({ authorization: 'Bearer the.callers.own' }));
    await client.call(SUBMIT, HELLO);
    expect(seen(0).metadata.get('authorization')).toEqual(['Bearer the.callers.own']);
    expect(seen(1).metadata.get('authorization')).toEqual([]);
  });

  it.each(['Basic c2VjcmV0', 'Bearer se cret', 'secret'])(
    'that are malformed are refused, untold, and never reach Armada: %s',
    async (authorization) => {
      const { status: end } = await client.call(SUBMIT, HELLO, withHeaders({ authorization }));
      expect(end.code).toBe(status.UNAUTHENTICATED);
      expect(end.details).toContain('the metadata "authorization"');
      expect(end.details).not.toContain('cret');
      expect(armada.calls).toHaveLength(0);
    },
  );

  it('of one connection stay on it', async () => {
    rawCall({
      'user-agent': 'armadactl/1',
      'proxy-authorization': 'Basic c2VjcmV0',
      'accept-encoding': 'br',
      'grpc-previous-rpc-attempts': '3',
      'x-kept': 'yes',
    });
    const { metadata } = await eventually('Armada has it', () => armada.calls[0]);
    expect(metadata.getMap()).toEqual({
      'x-kept': 'yes',
      'user-agent': expect.stringMatching(/^grpc-node-js/) as string,
    });
  });

  it('of an answer’s connection stay on it', async () => {
    const { initial, status: end } = await client.call(SUBMIT, HELLO);
    expect(Object.keys({ ...initial?.getMap(), ...end.metadata.getMap() }).sort()).toEqual([
      'content-type',
      'date',
    ]);
    armada.answer = (call) => call.emit('error', { code: status.ABORTED, details: '' });
    const failed = await client.call(SUBMIT, HELLO);
    expect(failed.status.metadata.get('content-type')).toEqual(['application/grpc+proto']);
  });
});

describe('what is not forwarded', () => {
  it.each(['/api.Jobs/New', '/api.Node/X', '/api.Submit/', '/api.Submit/a/b'])('%s', async (path) => {
    expect((await client.call(path, HELLO)).status.code).toBe(status.UNIMPLEMENTED);
    expect(armada.calls).toHaveLength(0);
  });

  it('is answered here, with the limit that our own requests have', async () => {
    const encode = (jobId: string): Buffer =>
      JobServiceService.getJobStatus.requestSerialize({ jobId, queue: 'q', jobSetId: 's' });
    const { path } = JobServiceService.getJobStatus;
    expect((await client.call(path, encode('known'))).status).toMatchObject({
      code: status.NOT_FOUND,
      details: 'known',
    });
    const { status: end } = await client.call(path, encode('x'.repeat(2 * MEBIBYTE)));
    expect(end.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(end.details).toContain(`at most ${MEBIBYTE}`);
    const { messages } = await client.call('/grpc.health.v1.Health/Check', Buffer.alloc(0));
    expect(messages).toEqual([Buffer.from([8, 1])]);
    expect(armada.calls).toHaveLength(0);
  });
});

describe('forwarded calls', () => {
  it.each([
    ['any', SUBMIT, HELLO],
    ['reads of events', EVENTS, request(false)],
  ])('have a limit, past which they are refused and do not reach Armada: %s', async (_, path, message) => {
    const answer = armada.answer;
    armada.answer = () => undefined;
    const calls = Array.from({ length: MOST_CALLS }, () => client.open(path));
    const outcomes = calls.map(outcomeOf);
    for (const call of calls) call.end(message);
    await eventually('Armada has them', () => armada.calls.length === MOST_CALLS);
    const { status: end } = await client.call(SUBMIT, HELLO);
    expect(end.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(end.details).toMatch(/all 5 calls .*MAX_FORWARDED_CALLS.*try again/);
    expect(armada.calls).toHaveLength(MOST_CALLS);
    armada.answer = answer;
    const watch = client.open(EVENTS);
    watch.end(request(true));
    expect((await outcomeOf(watch)).status.code).toBe(status.OK);
    calls[0]?.cancel();
    await outcomes[0];
    await eventually(
      'its place is free',
      async () => (await client.call(SUBMIT, HELLO)).status.code === status.OK,
    );
    for (const call of calls) call.cancel();
  });

  it('of which only the headers have come take no place and do not reach Armada', async () => {
    const paths = [SUBMIT, LEASE, EVENTS, WATCH];
    const calls = Array.from({ length: 2 * MOST_CALLS }, (_, i) => client.open(paths[i % 4] ?? ''));
    expect((await client.call(SUBMIT, HELLO)).status.code).toBe(status.OK);
    expect(armada.calls).toHaveLength(1);
    for (const call of calls) call.cancel();
  });
});

describe('forwarded watches', () => {
  const open = async (): Promise<number> => (await metrics.forwardedWatches.get()).values[0]?.value ?? 0;

  beforeEach(() => {
    armada.answer = (call) => void call.write(HELLO);
  });

  async function watch(path = EVENTS, message = request(true), metadata?: Metadata) {
    const call = client.open(path, metadata);
    const outcome = outcomeOf(call);
    call.end(message);
    await Promise.race([new Promise((resolve) => call.once('data', resolve)), outcome]);
    return { call, outcome };
  }

  it('have a share, past which they are refused and do not reach Armada', async () => {
    const [first] = [await watch(), await watch(WATCH)];
    expect(await open()).toBe(2);
    for (const path of [EVENTS, WATCH]) {
      const { status: end } = await (await watch(path)).outcome;
      expect(end.code).toBe(status.RESOURCE_EXHAUSTED);
      expect(end.details).toContain('all 2 watches');
    }
    expect(armada.calls).toHaveLength(2);
    first.call.cancel();
    await eventually('its place is free', async () => (await open()) === 1);
    await watch();
    expect(armada.calls).toHaveLength(3);
  });

  it('may be what cannot be read here', async () => {
    await watch(EVENTS, Buffer.from([0x0a, 0xff]));
    expect(await open()).toBe(1);
  });

  it('leave their place when Armada ends them', async () => {
    armada.answer = (call) => call.emit('error', { code: status.NOT_FOUND, details: 'no queue' });
    for (let i = 0; i < 5; i++) {
      expect((await (await watch()).outcome).status.code).toBe(status.NOT_FOUND);
    }
    expect(await open()).toBe(0);
  });

  describe('by those whose right is looked at again and again', () => {
    let asked: [authorization: string | undefined, queue: string][];
    let verdict: ArmadaVerdict | Error;

    beforeEach(() => {
      asked = [];
      verdict = 'yes';
      mayWatch = (...of) => {
        asked.push(of);
        return verdict instanceof Error ? Promise.reject(verdict) : Promise.resolve(verdict);
      };
    });

    const message = (path: string): Buffer => {
      const nothing = new Uint8Array();
      const bytes =
        path === WATCH
          ? WatchRequest.encode({ ...WatchRequest.decode(nothing), queue: 'q' })
          : JobSetRequest.encode({ ...JobSetRequest.decode(nothing), queue: 'q', watch: true });
      return Buffer.from(bytes.finish());
    };
    const watchAs = (authorization?: string, path = EVENTS) =>
      watch(path, message(path), authorization === undefined ? undefined : withHeaders({ authorization }));
    const times = (n: number) => eventually('it is looked at', () => asked.length >= n);

    it.each([EVENTS, WATCH])('go on while Armada says yes, or nothing: %s', async (path) => {
      const { outcome } = await watchAs('Bearer their-own', path);
      for (const answer of ['yes', 'no-queue', new Error('no answer')] as const) {
        verdict = answer;
        await times(asked.length + 2);
      }
      expect(new Set(asked.map(String))).toEqual(new Set(['Bearer their-own,q']));
      expect(await open()).toBe(1);
      verdict = 'no';
      expect((await outcome).status.code).toBe(status.PERMISSION_DENIED);
    });

    it('end when the right is gone, and say which', async () => {
      const { outcome } = await watchAs();
      verdict = 'no';
      const { status: end, messages } = await outcome;
      expect(end.code).toBe(status.PERMISSION_DENIED);
      expect(end.details).toMatch(/you may not watch queue "q".*watch_all_events/);
      expect(messages).toEqual([HELLO]);
      expect(asked[0]).toEqual([undefined, 'q']);
      await eventually('Armada knows', () => seen(0).cancelled);
      expect(await open()).toBe(0);
    });

    it('end when the credentials are not accepted any more', async () => {
      const { outcome } = await watchAs('Bearer their-own');
      verdict = 'bad-credentials';
      const { status: end } = await outcome;
      expect(end.code).toBe(status.UNAUTHENTICATED);
      expect(end.details).not.toContain('their-own');
    });

    it('end with the time of the token, whatever Armada says', async () => {
      const claims = Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 1 }));
      const { outcome } = await watchAs(`Bearer e30.${claims.toString('base64url')}.c2ln`);
      const { status: end } = await outcome;
      expect(end.code).toBe(status.UNAUTHENTICATED);
      expect(end.details).toContain('the time of your credentials (authorization) is over');
    });

    it('are looked at no more when they are over', async () => {
      const { call } = await watchAs();
      await times(1);
      call.cancel();
      await eventually('its place is free', async () => (await open()) === 0);
      const before = asked.length;
      const other = await watchAs('Bearer other');
      await times(before + 3);
      expect(asked.slice(before).every(([who]) => who === 'Bearer other')).toBe(true);
      other.call.cancel();
    });
  });

  it('end at once when the server stops, and calls that run finish', async () => {
    const { outcome } = await watch();
    const answers: (() => void)[] = [];
    armada.answer = (call) => answers.push(() => echo(call));
    const submit = client.call(SUBMIT, HELLO);
    await eventually('the submit is under way', () => answers.length === 1);
    const stopped = server.stop();
    expect((await outcome).status).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'the server is stopping',
    });
    await eventually('Armada knows', () => seen(0).cancelled);
    answers[0]?.();
    expect(await submit).toMatchObject({ status: { code: status.OK }, messages: [HELLO] });
    await stopped;
  });
});

describe('an observer of a method', () => {
  it('sees request and answer, and the answer waits for it', async () => {
    const order: string[] = [];
    let observed = (): void => undefined;
    observers.set(SUBMIT, async (question, answer) => {
      order.push(`${question.toString()} ${answer.toString()}`);
      await new Promise<void>((resolve) => (observed = resolve));
      order.push('observed');
    });
    armada.answer = (call) => {
      call.write(Buffer.from('answer'));
      call.end();
    };
    const outcome = client.call(SUBMIT, HELLO).then((came) => {
      order.push('answered');
      return came;
    });
    await eventually('it is observed', () => order.length === 1);
    observed();
    expect((await outcome).messages).toEqual([Buffer.from('answer')]);
    expect(order).toEqual(['hello answer', 'observed', 'answered']);
  });

  it('sees nothing of a call that Armada refuses, or of another method', async () => {
    let observed = 0;
    observers.set(SUBMIT, () => {
      observed++;
      return Promise.resolve();
    });
    armada.answer = (call) => call.emit('error', { code: status.PERMISSION_DENIED, details: 'no' });
    await client.call(SUBMIT, HELLO);
    armada.answer = echo;
    await client.call(NEW_METHOD, HELLO);
    expect(observed).toBe(0);
  });
});
