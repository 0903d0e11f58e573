import { jest } from '@jest/globals';
import { constants, createServer, type ServerHttp2Session } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { anonymous, withoutTls } from '@ajs/armada-credentials';
import { EventService, JobRunningEvent } from '@ajs/contracts/api/event';
import { Cursor, type StreamMessage } from '@ajs/job-state';
import type { EventStream, StreamEnd, StreamRequest } from '@ajs/subscriptions';
import { FakeArmada, allRecordings, eventually, freePort, jobEvents } from '@ajs/testing';
import { Server, ServerCredentials, status, type ServerWritableStream } from '@grpc/grpc-js';
import { channelOptions } from './channel-options.js';
import { ArmadaEventSource } from './event-streams.js';
import { createArmadaClient, type ArmadaClient } from './index.js';
import { CountedPool } from './testing/counted-pool.js';

const KEY = { queue: 'q', jobSetId: 's' };
const REF = { ...KEY, jobId: '01m85vrgp7whz55kx8f03d6510' };

let armada: FakeArmada;
let client: ArmadaClient;
const counted = { unknown: 0, malformed: 0 };
const counter = { unknownKind: () => counted.unknown++, malformed: () => counted.malformed++ };

function clientOf(address: string, largestMessageBytes = 1_000_000): ArmadaClient {
  return createArmadaClient({
    transport: withoutTls(address),
    identity: anonymous,
    maxMessageBytes: largestMessageBytes,
    callsPerSecond: 20,
  });
}

beforeEach(async () => {
  armada = new FakeArmada();
  armada.state.queues.add('q');
  client = clientOf(await armada.listen('127.0.0.1:0'));
});

afterEach(() => {
  client.close();
  armada.stop();
});

interface Heard {
  readonly messages: StreamMessage[];
  readonly ends: StreamEnd[];
  readonly stream: EventStream;
}

function open(request: Partial<StreamRequest> = {}): Heard {
  const messages: StreamMessage[] = [];
  const ends: StreamEnd[] = [];
  const stream = client
    .events(counter)
    .open(
      { key: KEY, from: Cursor(''), watch: false, ...request },
      { message: (message) => messages.push(message), end: (end) => ends.push(end) },
    );
  return { messages, ends, stream };
}

const ended = ({ ends }: Heard): Promise<StreamEnd> => eventually('the stream ends', () => ends[0]);
const log = () => armada.state.openLog(KEY.queue, KEY.jobSetId);

describe('event streams from Armada', () => {
  it('a read delivers the existing messages in order, and ends', async () => {
    for (const recording of allRecordings()) {
      armada.replay(recording);
      const read = open({ key: { queue: recording.queue, jobSetId: recording.jobSetId } });
      expect((await ended(read)).kind).toBe('end');
      expect(read.messages.map(({ cursor }) => cursor)).toEqual(recording.messages.map(({ id }) => id));
    }
  });

  it('a read from a cursor delivers the messages after it', async () => {
    log().append([...jobEvents.leased(REF), ...jobEvents.succeeded(REF)]);
    const all = open();
    await ended(all);
    const rest = open({ from: all.messages[0]?.cursor ?? Cursor('') });
    await ended(rest);
    expect(rest.messages).toEqual(all.messages.slice(1));
  });

  it('a watch delivers new messages until it is cancelled', async () => {
    const watch = open({ watch: true });
    await eventually('it is open', () => armada.events.streams === 1);
    log().append(jobEvents.leased(REF));
    await eventually('the event is there', () => watch.messages.length === 1);
    watch.stream.cancel();
    expect(await ended(watch)).toMatchObject({ kind: 'cancelled' });
    await eventually('the server lets go of it', () => armada.events.streams === 0);
    expect(watch.ends).toHaveLength(1);
  });

  it('a paused stream delivers nothing until it is resumed', async () => {
    const watch = open({ watch: true });
    await eventually('it is open', () => armada.events.streams === 1);
    watch.stream.pause();
    for (let i = 0; i < 5_000; i++) log().append(jobEvents.leased(REF));
    // Another stream has seen them all: this one could have, too.
    const read = open();
    await ended(read);
    expect(read.messages).toHaveLength(5_000);
    const paused = watch.messages.length;
    expect(paused).toBeLessThan(5_000);
    watch.stream.resume();
    await eventually('the rest is there', () => watch.messages.length === 5_000, 30_000);
    watch.stream.cancel();
  });

  it('a paused read ends only after everything was delivered, however little that is', async () => {
    for (let i = 0; i < 10; i++) log().append(jobEvents.leased(REF));
    const paused = open();
    paused.stream.pause();
    // Opened later and over the same connection: the first one's status has come as well.
    const other = open();
    await ended(other);
    expect(paused.ends).toEqual([]);
    paused.stream.resume();
    expect((await ended(paused)).kind).toBe('end');
    expect(paused.messages).toHaveLength(10);
  });

  it.each([
    ['the server stops', status.UNAVAILABLE, 'retry'],
    ['the server closes the watch', status.OK, 'end'],
  ])('%s', async (_, code, kind) => {
    const watch = open({ watch: true });
    await eventually('it is open', () => armada.events.streams === 1);
    armada.events.endStreams(code);
    expect((await ended(watch)).kind).toBe(kind);
  });

  it('a queue that does not exist, or that we may not watch, ends the stream with the reason', async () => {
    expect(await ended(open({ key: { queue: 'nope', jobSetId: 's' } }))).toEqual({
      kind: 'gone',
      reason: 'NOT_FOUND: [GetJobSetEvents] Queue nope does not exist',
    });
    armada.faults.set({ deniedQueues: ['q'] });
    expect((await ended(open())).kind).toBe('denied');
  });

  it('a server that is not reachable ends the stream for a retry', async () => {
    client.close();
    client = clientOf(`127.0.0.1:${await freePort()}`);
    const end = await ended(open({ watch: true }));
    expect(end).toMatchObject({ kind: 'retry', reason: expect.stringContaining('UNAVAILABLE') as string });
    await expect(client.health()).rejects.toThrow();
  });

  it('a message above our limit ends the stream and is not delivered', async () => {
    client.close();
    client = clientOf(await restart(), 10_000);
    const value = { ...JobRunningEvent.decode(new Uint8Array()), ...REF, nodeName: 'n'.repeat(20_000) };
    log().append([{ events: { $case: 'running', value } }]);
    const read = open();
    expect(await ended(read)).toMatchObject({
      kind: 'unreadable',
      reason: expect.stringContaining('RESOURCE_EXHAUSTED') as string,
    });
    expect(read.messages).toEqual([]);
  });

  it('a stream that is cancelled while it is paused delivers nothing more, not even what it has received', async () => {
    for (let i = 0; i < 10; i++) log().append(jobEvents.leased(REF));
    const paused = open();
    paused.stream.pause();
    await ended(open());
    paused.stream.cancel();
    await ended(open());
    expect([paused.messages, paused.ends.map(({ kind }) => kind)]).toEqual([[], ['cancelled']]);
  });

  it('a stream takes a place on a connection of its kind for as long as it is open, however it ends', async () => {
    const transport = withoutTls(await restart());
    const pool = () => new CountedPool(transport, channelOptions(1_000_000));
    const pools = { watches: pool(), reads: pool(), longMessages: pool() };
    const { watches, reads, longMessages } = pools;
    const taken = () => [watches.taken, reads.taken, longMessages.taken];
    const source = new ArmadaEventSource(pools, counter);
    const ends: StreamEnd[] = [];
    const listener = { message: () => undefined, end: (end: StreamEnd) => ends.push(end) };
    const watch = source.open({ key: KEY, from: Cursor(''), watch: true }, listener);
    source.open({ key: KEY, from: Cursor(''), watch: false }, listener);
    source.open({ key: { ...KEY, queue: 'nope' }, from: Cursor(''), watch: false }, listener);
    const skipUnreadable = (): void => undefined;
    source.open({ key: KEY, from: Cursor(''), watch: false, skipUnreadable }, listener);
    expect(taken()).toEqual([1, 2, 1]);
    await eventually('the reads have ended', () => ends.length === 3);
    expect(taken()).toEqual([1, 0, 0]);
    watch.cancel();
    expect(taken()).toEqual([0, 0, 0]);
    for (const each of [watches, reads, longMessages]) each.close();
  });

  it('a watch whose connection is never ready is given up after 5 s', async () => {
    const sockets: Socket[] = [];
    const silent = createTcpServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    client.close();
    client = clientOf(`127.0.0.1:${(silent.address() as AddressInfo).port}`);
    expect(await ended(open({ watch: true }))).toEqual({
      kind: 'retry',
      reason: 'no connection to Armada within 5 s',
    });
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('a watch that is open stays so, however long nothing comes', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const intervals = jest.spyOn(globalThis, 'setInterval');
    const watch = open({ watch: true });
    const connecting = timers.mock.calls.findIndex(([, ms]) => ms === 5_000);
    const looks = intervals.mock.calls.filter(([, everyMs]) => everyMs === 1_000);
    await eventually('it is open', () => armada.events.streams === 1);
    // As after 5 s.
    timers.mock.calls[connecting]?.[0]();
    expect([connecting >= 0, looks, watch.ends]).toEqual([true, [], []]);
    const stopped = jest.spyOn(globalThis, 'clearTimeout');
    watch.stream.cancel();
    expect(stopped).toHaveBeenCalledWith(timers.mock.results[connecting]?.value);
    jest.restoreAllMocks();
  });

  it.each([
    ['no protobuf', Buffer.from('<html>502 Bad Gateway</html>')],
    ['cut off', Buffer.from([10, 200, 1])],
    ['without an id', Buffer.alloc(8)],
  ])('a message that is %s ends the stream after those before it', async (_, bytes) => {
    log().append(jobEvents.leased(REF));
    log().appendRecorded([{ id: '9795493217053:0:0:1', bytes }]);
    const read = open();
    expect((await ended(read)).kind).toBe('unreadable');
    expect(read.messages.map(({ event }) => event?.kind)).toEqual(['leased']);
  });

  it('a stream that skips what cannot be read reads on, and reads longer messages', async () => {
    client.close();
    client = clientOf(await restart(), 10_000);
    const garbage = Buffer.from('<html>502 Bad Gateway</html>');
    log().appendRecorded([1, 2].map((ms) => ({ id: `${ms}:0:0:1`, bytes: garbage })));
    const value = { ...JobRunningEvent.decode(new Uint8Array()), ...REF, nodeName: 'n'.repeat(20_000) };
    log().append([{ events: { $case: 'running', value } }]);
    log().append(jobEvents.succeeded(REF));
    for (const watch of [false, true]) {
      const skipped: string[] = [];
      const stream = open({ watch, skipUnreadable: (reason) => skipped.push(reason) });
      await eventually('all is read', () => stream.messages.length === 2);
      expect(stream.messages.map(({ event }) => event?.kind)).toEqual(['running', 'succeeded']);
      expect(skipped).toEqual(['"" is not a message id', '"" is not a message id']);
    }
  });

  it('a stream skips nothing after the first message that it could read', async () => {
    log().append(jobEvents.leased(REF));
    log().appendRecorded([{ id: '9795493217053:0:0:1', bytes: Buffer.alloc(8) }]);
    const skipped: string[] = [];
    const read = open({ skipUnreadable: (reason) => skipped.push(reason) });
    expect((await ended(read)).kind).toBe('unreadable');
    expect([skipped, read.messages.length]).toEqual([[], 1]);
  });

  it('messages of an unknown kind, or without a job id, are counted, and the cursor moves past them', async () => {
    log().append([
      { events: undefined },
      ...jobEvents.leased({ ...REF, jobId: '' }),
      ...jobEvents.leased(REF),
    ]);
    const before = { ...counted };
    const read = open();
    await ended(read);
    expect(read.messages.map(({ event }) => event?.kind)).toEqual([undefined, undefined, 'leased']);
    expect(counted).toEqual({ unknown: before.unknown + 1, malformed: before.malformed + 1 });
  });

  it('more streams than one connection holds all open', async () => {
    const watches = Array.from({ length: 250 }, (_, i) =>
      open({ key: { queue: 'q', jobSetId: `s${i}` }, watch: true }),
    );
    await eventually('all are open', () => armada.events.streams === 250);
    for (const { stream } of watches) stream.cancel();
    await eventually('all are closed', () => armada.events.streams === 0);
  });

  it('Armada is healthy if its Health responds SERVING', async () => {
    await expect(client.health()).resolves.toBeUndefined();
    armada.faults.set({ unavailable: true });
    await expect(client.health()).rejects.toThrow('UNAVAILABLE');
  });
});

describe('a read that does not end', () => {
  const [{ bytes } = { bytes: Buffer.alloc(0) }] = allRecordings()[0]?.messages ?? [];
  let server: Server;
  let calls: ServerWritableStream<unknown, Buffer>[];
  let skippedMs: number;

  beforeEach(async () => {
    calls = [];
    server = new Server();
    const { getJobSetEvents } = EventService;
    const implementation = {
      getJobSetEvents: (call: ServerWritableStream<unknown, Buffer>) => void calls.push(call),
    };
    const asItIs = (message: Buffer): Buffer => message;
    server.addService({ getJobSetEvents: { ...getJobSetEvents, responseSerialize: asItIs } }, implementation);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    client.close();
    client = clientOf(`127.0.0.1:${port}`);
    skippedMs = 0;
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + skippedMs);
  });

  afterEach(() => {
    jest.restoreAllMocks();
    server.forceShutdown();
  });

  it('is given up after ten seconds in which it could have brought something, and looked at no more', async () => {
    const timers = jest.spyOn(globalThis, 'setInterval');
    const stopped = jest.spyOn(globalThis, 'clearInterval');
    const read = open();
    const index = timers.mock.calls.findIndex(([, everyMs]) => everyMs === 1_000);
    const look = timers.mock.calls[index]?.[0] as () => void;
    const lookAfter = (ms: number): readonly StreamEnd[] => {
      skippedMs += ms;
      look();
      return read.ends;
    };
    const call = await eventually('the call is taken', () => calls[0]);
    expect(lookAfter(6_000)).toEqual([]);
    call.write(bytes);
    await eventually('it brings a message', () => read.messages.length === 1);
    expect(lookAfter(6_000)).toEqual([]);
    read.stream.pause();
    expect(lookAfter(12_000)).toEqual([]);
    read.stream.resume();
    expect(lookAfter(6_000)).toEqual([]);
    expect(stopped).not.toHaveBeenCalledWith(timers.mock.results[index]?.value);
    expect(lookAfter(6_000)).toEqual([
      { kind: 'retry', reason: 'Armada sent nothing for 10 s and did not end the read' },
    ]);
    expect(stopped).toHaveBeenCalledWith(timers.mock.results[index]?.value);
    await eventually('the server hears that it is cancelled', () => call.cancelled);
  });
});

async function restart(): Promise<string> {
  armada.stop();
  armada = new FakeArmada();
  armada.state.queues.add('q');
  return armada.listen('127.0.0.1:0');
}

describe('a server that closes the connection since pings come too often', () => {
  it('is named as that, and the watch is opened again', async () => {
    const sessions: ServerHttp2Session[] = [];
    const server = createServer().on('session', (session) => sessions.push(session));
    server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      const { NGHTTP2_ENHANCE_YOUR_CALM } = constants;
      stream.session?.goaway(NGHTTP2_ENHANCE_YOUR_CALM, stream.id, Buffer.from('too_many_pings'));
      stream.close(NGHTTP2_ENHANCE_YOUR_CALM);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const impatient = clientOf(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const ends: StreamEnd[] = [];
    impatient
      .events(counter)
      .open(
        { key: KEY, from: Cursor(''), watch: true },
        { message: () => undefined, end: (end) => ends.push(end) },
      );
    expect(await eventually('the watch ends', () => ends[0])).toEqual({
      kind: 'retry',
      reason:
        'RESOURCE_EXHAUSTED: Armada closed the connection (HTTP/2 ENHANCE_YOUR_CALM): too many keepalive pings or requests',
    });
    impatient.close();
    for (const session of sessions) session.destroy();
    server.close();
  });
});

describe('flow control', () => {
  it.each([
    ['a read, and of all reads of a connection', false, 262_144],
    ['a watch, and of all watches of a connection', true, 65_535],
  ])('lets Armada send so much ahead of %s', async (_, watch, bytes) => {
    const sessions: ServerHttp2Session[] = [];
    const server = createServer().on('session', (session) => sessions.push(session));
    server.on('stream', (stream) => stream.on('error', () => undefined));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const reader = clientOf(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const stream = reader
      .events(counter)
      .open({ key: KEY, from: Cursor(''), watch }, { message: () => undefined, end: () => undefined });
    try {
      await eventually('its windows are open', () => {
        const [session] = sessions;
        const windows = [session?.remoteSettings.initialWindowSize, session?.state.remoteWindowSize];
        return windows.every((window) => window === bytes);
      });
    } finally {
      stream.cancel();
      reader.close();
      for (const session of sessions) session.destroy();
      server.close();
    }
  });
});

describe('keepalive towards Armada', () => {
  it('pings at most every 20 s: twice the interval that its servers punish', () => {
    expect(channelOptions(1)['grpc.keepalive_time_ms']).toBeGreaterThanOrEqual(20_000);
  });

  it('notices within 25 s that a connection is half-open, and that Armada is back within 5 s', () => {
    const options = channelOptions(1);
    const noticedMs =
      Number(options['grpc.keepalive_time_ms']) + Number(options['grpc.keepalive_timeout_ms']);
    expect(noticedMs).toBeLessThanOrEqual(25_000);
    expect(options).toMatchObject({
      'grpc.initial_reconnect_backoff_ms': 500,
      'grpc.max_reconnect_backoff_ms': 5_000,
    });
  });
});
