import { connect as http2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { eventually, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import { MessageBudget } from '../load/message-budget.js';
import type { PassThrough } from '../pass-through/pass-through.js';
import type { RpcError } from '../rpc-error.js';
import type { GrpcCall } from './grpc-call.js';
import { GrpcServer } from './grpc-server.js';
import { FREE_PORT, PLAIN } from './testing/grpc-test-options.js';
import {
  CONTINUATION,
  HEADERS,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  frame,
  framesIn,
  headers,
  reset,
  type ReceivedFrame,
} from './testing/http2-frames.js';
import { publicMethod } from './unary-method.js';

const MEBIBYTE = 1024 * 1024;
/** Room for 1,024 streams, of which a caller may have 768, and for 256 refusals, of which it may have 192. */
const BUDGET = 16 * MEBIBYTE;
/** Above what was used before: also for Node, V8 and the attacker, who is in this process. */
const BOUND = 96 * MEBIBYTE;
const POLL = JobServiceService.getJobStatus.path;
const CANCEL = 8;
const REFUSED_STREAM = 7;

const FORWARDED = '/a/b';

let server: GrpcServer;
let port: number;
/** Forwarded calls that began, and those that could not. */
let begun: number;
let refused: number;
let neighbour: Client;
let attackers: Attacker[];

beforeEach(async () => {
  attackers = [];
  begun = refused = 0;
  const passThrough = {
    maxRequestBytes: 1_024,
    forwarderOf: (path: string) => (path === FORWARDED ? forward : undefined),
    endWatches: () => undefined,
  } as unknown as PassThrough;
  const poll = publicMethod(JobServiceService.getJobStatus, 1_024, () => ({ state: 2, error: '' }));
  server = new GrpcServer(
    { methods: [poll], passThrough },
    {
      ...PLAIN,
      budget: new MessageBudget(BUDGET, () => undefined),
      access: { ...PLAIN.access, keyOf: ({ authorization }) => String(authorization[0] ?? 'attacker') },
    },
  );
  port = await server.listen(FREE_PORT);
  neighbour = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterEach(async () => {
  for (const { socket } of attackers) socket.destroy();
  neighbour.close();
  await server.stop();
});

function forward(call: GrpcCall): void {
  const ignore = (): void => undefined;
  try {
    call.start({ onMessage: ignore, onHalfClose: ignore, onProblem: ignore, onCancel: ignore });
    begun++;
  } catch (error) {
    refused++;
    call.sendStatus(error as RpcError);
  }
}

/** A connection that sends any frames, and keeps those that come. */
class Attacker {
  readonly received: ReceivedFrame[] = [];
  readonly socket: Socket;
  private rest = Buffer.alloc(0);

  constructor() {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: Buffer) => {
      const { frames, rest } = framesIn(Buffer.concat([this.rest, chunk]));
      this.rest = Buffer.from(rest);
      this.received.push(...frames);
    });
    this.socket.write(PREFACE);
    attackers.push(this);
  }

  count(isCounted: (received: ReceivedFrame) => boolean): number {
    return this.received.filter(isCounted).length;
  }
}

const isAnswer = ({ type }: ReceivedFrame): boolean => type === HEADERS;
const isRefusal = ({ type, payload }: ReceivedFrame): boolean =>
  type === RST_STREAM && payload.readUInt32BE(0) === REFUSED_STREAM;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const streams = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 * i + 1);

/** Whether a poll of this caller is answered; rejects where it is refused. */
async function isServed(who: string): Promise<boolean> {
  const request = { queue: 'q', jobSetId: 's', jobId: 'j' };
  const options = { authorization: who, deadline: Date.now() + 60_000 };
  return (await unary(neighbour, JobServiceService.getJobStatus, request, options)).answer.state === 2;
}

describe('streams that a caller opens and leaves open', () => {
  const OPENED = 4_000;

  it.each([
    ['for a method that there is', POLL, {}],
    ['for no method', '/no/method', {}],
    ['without gRPC', POLL, { 'content-type': 'text/html' }],
    ['with a malformed deadline', POLL, { 'grpc-timeout': 'x' }],
  ])('%s take no more memory than its share: further ones are refused unanswered', async (_, path, more) => {
    for (let i = 0; i < 4; i++) {
      const frames = streams(OPENED / 4).map((stream) => headers(stream, path, more));
      new Attacker().socket.write(Buffer.concat(frames));
    }
    await eventually('half of them are answered or refused', async () => {
      expect(await isServed('neighbour')).toBe(true);
      return sum(attackers.map((one) => one.count(isAnswer) + one.count(isRefusal))) >= OPENED / 2;
    });
    expect(sum(attackers.map((one) => one.count(isRefusal)))).toBeGreaterThan(0);
    for (const { socket } of attackers) socket.destroy();
    await eventually('the caller is served once they are gone', () => isServed('attacker'));
  });

  it('are answered with the cause as long as there is room for refusals', async () => {
    const one = new Attacker();
    one.socket.write(Buffer.concat(streams(900).map((stream) => headers(stream, POLL))));
    await eventually('those above the share are answered', () => one.count(isAnswer) > 0);
    expect(one.count(isRefusal)).toBe(0);
    await expect(isServed('attacker')).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('share of message memory used up') as string,
    });
    expect(await isServed('neighbour')).toBe(true);
  });
});

describe('the headers of calls', () => {
  it('are paid for where they are kept, each with what it takes beside its text', async () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-${i}`, 'x'.repeat(100)]));
    const one = new Attacker();
    one.socket.write(Buffer.concat(streams(400).map((stream) => headers(stream, FORWARDED, many))));
    await eventually('all have come', () => begun + refused + one.count(isRefusal) === 400);
    expect(refused).toBeGreaterThan(0);
    expect(await isServed('neighbour')).toBe(true);
  });

  it('are paid for where they hold long credentials', async () => {
    const session = http2(`http://127.0.0.1:${port}`).on('error', () => undefined);
    const ends: unknown[] = [];
    for (let i = 0; i < 600; i++) {
      const stream = session.request(
        {
          ':method': 'POST',
          ':path': POLL,
          'content-type': 'application/grpc',
          authorization: 'x'.repeat(16_000),
        },
        { endStream: false },
      );
      stream.on('error', () => undefined);
      stream.on('response', (received) => ends.push(received['grpc-status']));
    }
    await eventually('some are refused', () => ends.length > 0);
    expect(ends[0]).toBe(String(status.RESOURCE_EXHAUSTED));
    session.destroy();
  });
});

describe('a flood of', () => {
  const zeros = (bytes: number): Buffer => Buffer.alloc(bytes);
  const resets = streams(20_000).map((stream) =>
    Buffer.concat([headers(stream, POLL), reset(stream, CANCEL)]),
  );

  it.each<[string, readonly Buffer[]]>([
    ['streams that are reset at once', resets],
    ['pings', Array<Buffer>(200_000).fill(frame(PING, 0, 0, zeros(8)))],
    ['settings', Array<Buffer>(200_000).fill(frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100])))],
    [
      'endless headers',
      [frame(HEADERS, 0, 1, zeros(1)), ...Array<Buffer>(50_000).fill(frame(CONTINUATION, 0, 1, zeros(100)))],
    ],
    [
      'empty continuations',
      [frame(HEADERS, 0, 1), ...Array<Buffer>(200_000).fill(frame(CONTINUATION, 0, 1))],
    ],
  ])('%s costs nobody else a call, and no memory, whether its answers are read or not', async (_, frames) => {
    const flood = Buffer.concat(frames);
    const before = used();
    let most = 0;
    for (let i = 0; i < 5; i++) {
      const { socket } = new Attacker();
      if (i % 2 === 0) socket.pause();
      socket.write(flood);
    }
    for (let i = 0; i < 20; i++) {
      expect(await isServed('neighbour')).toBe(true);
      most = Math.max(most, used() - before);
    }
    expect(most).toBeLessThan(BOUND);
    for (const { socket } of attackers) socket.destroy();
    await eventually('the caller is served once it has gone', () => isServed('attacker'));
  });
});

function used(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
