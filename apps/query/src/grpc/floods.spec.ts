import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import { JobDetails, JobStatusRequest, JobsService } from '@ajs/contracts/api/job';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { eventually, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import { jobsService, type JobsServiceOptions } from '../jobs-api/jobs-service.js';
import { MessageBudget } from '../load/message-budget.js';
import type { PassThrough } from '../pass-through/pass-through.js';
import { RpcError } from '../rpc-error.js';
import type { GrpcCall } from './grpc-call.js';
import { GrpcServer, type GrpcServerOptions } from './grpc-server.js';
import { FREE_PORT, PLAIN } from './testing/grpc-test-options.js';
import { DATA, PREFACE, frame, headers } from './testing/http2-frames.js';
import { publicMethod } from './unary-method.js';

const MEBIBYTE = 1024 * 1024;
/** The budget, and what Node and V8 need beside it, also for the attacker, who is in this process. */
const [BUDGET, BOUND] = [16 * MEBIBYTE, 96 * MEBIBYTE];
const STATUS = JobsService.getJobStatus.path;
const DETAILS = JobsService.getJobDetails.path;
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

let decoded: number;
let server: GrpcServer;
let attacker: ClientHttp2Session;
let neighbour: Client;
let usedBefore: number;
let mostUsed: number;

const used = (): number => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** `api.Jobs` whose requests are counted when they are decoded, and whose details have 1 MiB; and a poll for the neighbour. */
async function serve(options: Partial<GrpcServerOptions> = {}, passThrough?: PassThrough): Promise<number> {
  const huge = { jobDetails: { j: { ...JobDetails.decode(Buffer.alloc(0)), queue: 'x'.repeat(MEBIBYTE) } } };
  const calls = {
    jobs: {
      getJobStatus: () => Promise.resolve({ jobIds: [], states: [] }),
      getJobDetails: () => Promise.resolve(huge),
    },
    maxJobIds: 1_000,
    answered: () => undefined,
    internalError: () => undefined,
  } as unknown as JobsServiceOptions;
  const methods = Object.values(jobsService(calls)).map((method) => ({
    ...method,
    definition: {
      ...method.definition,
      requestDeserialize: (bytes: Buffer): unknown => {
        decoded++;
        return method.definition.requestDeserialize(bytes);
      },
    },
  }));
  const poll = publicMethod(JobServiceService.getJobStatus, 1_024, () => ({ state: 2, error: '' }));
  server = new GrpcServer(
    { methods: [...methods, poll], passThrough },
    { ...PLAIN, budget: new MessageBudget(BUDGET, () => undefined), ...options },
  );
  const port = await server.listen(FREE_PORT);
  neighbour = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  attacker = connect(`http://127.0.0.1:${port}`);
  attacker.on('error', () => undefined);
  decoded = mostUsed = 0;
  usedBefore = used();
  return port;
}

afterEach(async () => {
  attacker.destroy();
  neighbour.close();
  await server.stop();
});

function open(path: string): { readonly stream: ClientHttp2Stream; code: status | 'reset' | undefined } {
  const stream = attacker.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    'grpc-encoding': 'gzip',
    te: 'trailers',
  });
  const call = { stream, code: undefined as status | 'reset' | undefined };
  for (const event of ['response', 'trailers']) {
    stream.on(event, (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) call.code = Number(headers['grpc-status']);
    });
  }
  stream.on('error', () => undefined);
  stream.on('close', () => (call.code ??= 'reset'));
  return call;
}

function framed(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Sends `count` requests at once and reads the answers. Resolves to the different codes of their ends. */
async function flood(path: string, request: Buffer, count: number): Promise<Set<unknown>> {
  const calls = Array.from({ length: count }, () => open(path));
  for (const { stream } of calls) {
    stream.resume();
    stream.end(request);
  }
  await eventually('all have ended', async () => {
    await pollOfNeighbour();
    return calls.every(({ code }) => code !== undefined);
  });
  return new Set(calls.map(({ code }) => code));
}

/** Fails if the neighbour is not answered. */
async function pollOfNeighbour(): Promise<void> {
  mostUsed = Math.max(mostUsed, used() - usedBefore);
  const { answer } = await unary(neighbour, JobServiceService.getJobStatus, {
    queue: 'q',
    jobSetId: 's',
    jobId: 'j',
  });
  expect(answer.state).toBe(2);
}

const bomb = framed(gzipSync(Buffer.alloc(MEBIBYTE)), true);
const emptyIds = (count: number): Buffer =>
  Buffer.from(JobStatusRequest.encode({ jobIds: Array<string>(count).fill('') }).finish());

describe('a flood of', () => {
  it('gzip bombs without credentials is rejected before anything is decompressed or decoded', async () => {
    const authenticate = () => Promise.reject(new RpcError(status.UNAUTHENTICATED, 'no'));
    await serve({ access: { ...PLAIN.access, authenticate } });
    expect(await flood(STATUS, bomb, 600)).toEqual(new Set([status.UNAUTHENTICATED]));
    expect(decoded).toBe(0);
    expect(mostUsed).toBeLessThan(BOUND);
  });

  it('requests whose credentials are being checked is not looked at meanwhile', async () => {
    let reject: (why: RpcError) => void = () => undefined;
    const verdict = new Promise<void>((_, no) => (reject = no));
    await serve({ access: { ...PLAIN.access, authenticate: () => verdict } });
    const flooded = flood(STATUS, framed(emptyIds(1)), 100);
    // It came on the same connection, after them.
    expect(await flood(JobServiceService.getJobStatus.path, framed(Buffer.alloc(0)), 1)).toEqual(
      new Set([status.OK]),
    );
    expect(decoded).toBe(0);
    reject(new RpcError(status.UNAUTHENTICATED, 'no'));
    expect(await flooded).toEqual(new Set([status.UNAUTHENTICATED]));
    expect(decoded).toBe(0);
  });

  it('gzip bombs with credentials is decompressed to the limit of the method, within the budget', async () => {
    await serve();
    expect(await flood(STATUS, bomb, 600)).toEqual(new Set([status.RESOURCE_EXHAUSTED]));
    expect(decoded).toBe(0);
    expect(mostUsed).toBeLessThan(BOUND);
  });

  it('requests with too many empty ids is rejected before they are decoded', async () => {
    await serve();
    expect(await flood(STATUS, framed(gzipSync(emptyIds(524_000)), true), 100)).toEqual(
      new Set([status.RESOURCE_EXHAUSTED]),
    );
    expect(await flood(STATUS, framed(gzipSync(emptyIds(30_000)), true), 50)).toEqual(
      new Set([status.INVALID_ARGUMENT]),
    );
    expect(decoded).toBe(0);
    expect(await flood(STATUS, framed(gzipSync(emptyIds(1_000)), true), 1)).toEqual(new Set([status.OK]));
    expect(decoded).toBe(1);
  });

  it('tiny messages in one call ends that call', async () => {
    await serve();
    expect(await flood(STATUS, Buffer.alloc(5 * 10_000), 20)).toEqual(new Set([status.UNIMPLEMENTED]));
    expect(decoded).toBe(0);
  });

  it('reflection requests whose answers nobody reads is ended, not held in memory', async () => {
    await serve({ responseTimeoutMs: 1_000 });
    const calls = Array.from({ length: 20 }, () => open(REFLECTION));
    // `fileContainingSymbol` of a type with many files: each answer is larger than a stream's window.
    const request = framed(Buffer.concat([Buffer.from([0x22, 8]), Buffer.from('api.Jobs')]));
    for (const { stream } of calls) stream.write(Buffer.concat(Array<Buffer>(20_000).fill(request)));
    await eventually('all have ended', async () => {
      await pollOfNeighbour();
      return calls.every(({ code }) => code !== undefined);
    });
    expect(mostUsed).toBeLessThan(BOUND);
  });

  it('calls whose answers nobody reads holds no more than the budget, and is ended', async () => {
    await serve({ responseTimeoutMs: 1_000 });
    const calls = Array.from({ length: 200 }, () => open(DETAILS));
    for (const { stream } of calls) stream.end(framed(Buffer.from([0x0a, 1, 0x6a])));
    await eventually('those above the budget are rejected', async () => {
      await pollOfNeighbour();
      return calls.filter(({ code }) => code === status.RESOURCE_EXHAUSTED).length > 150;
    });
    expect(mostUsed).toBeLessThan(BOUND);
    await eventually('the others are ended', async () => {
      await pollOfNeighbour();
      return calls.every(({ code }) => code !== undefined);
    });
    expect(new Set(calls.map(({ code }) => code))).toEqual(new Set([status.RESOURCE_EXHAUSTED, 'reset']));
  });

  it('tiny frames for a stream that is not read ends its call', async () => {
    const forwarded: GrpcCall[] = [];
    const problems: status[] = [];
    const forward = (call: GrpcCall): void => {
      forwarded.push(call);
      call.start({
        onMessage: () => undefined,
        onHalfClose: () => undefined,
        onCancel: () => undefined,
        onProblem: (problem) => {
          problems.push(problem.code);
          call.sendStatus(problem);
        },
      });
      call.startRead();
    };
    const passThrough = {
      maxRequestBytes: 1_024,
      forwarderOf: () => forward,
      endWatches: () => undefined,
    } as unknown as PassThrough;
    const port = await serve({}, passThrough);
    const socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(PREFACE);
    const streams = Array.from({ length: 20 }, (_, i) => 2 * i + 1);
    for (const stream of streams) {
      // It is paused when a second message comes.
      const message = frame(DATA, 0, stream, Buffer.alloc(5));
      socket.write(Buffer.concat([headers(stream, '/a/b'), message, message]));
    }
    await eventually(
      'no stream is read',
      () => forwarded.filter(({ stream }) => stream.isPaused()).length === 20,
    );
    for (const stream of streams) {
      const tiny = frame(DATA, 0, stream, Buffer.alloc(1));
      socket.write(Buffer.concat(Array<Buffer>(60_000).fill(tiny)));
    }
    await eventually('all have ended', async () => {
      await pollOfNeighbour();
      return problems.length === 20;
    });
    expect(new Set(problems)).toEqual(new Set([status.RESOURCE_EXHAUSTED]));
    expect(mostUsed).toBeLessThan(BOUND);
    socket.destroy();
  });

  it('requests that never end is ended', async () => {
    await serve({ requestTimeoutMs: 100 });
    const calls = Array.from({ length: 500 }, () => open(STATUS));
    // A part of a message that would have 60,000 bytes, or a whole message without the end of the request.
    const requests = [Buffer.from([0, 0, 0, 0xea, 0x60, 0x0a]), framed(Buffer.alloc(0))];
    for (const [i, { stream }] of calls.entries()) stream.resume().write(requests[i % 2]);
    await eventually('all have ended', async () => {
      await pollOfNeighbour();
      return calls.every(({ code }) => code !== undefined);
    });
    expect(new Set(calls.map(({ code }) => code))).toEqual(new Set([status.DEADLINE_EXCEEDED]));
    expect(decoded).toBe(0);
  });
});
