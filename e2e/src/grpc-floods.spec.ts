import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import { JobDetailsRequest, JobsService } from '@ajs/contracts/api/job';
import { JobState, QueueServiceService, SubmitService } from '@ajs/contracts/api/submit';
import { armadaJob, jobEvents } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { patiently } from './patiently.js';
import { peakRssBytes } from './process-figures.js';
import { Stack, isRedisTooLate, poll, type RunningQuery } from './stack.js';

const MEBIBYTE = 1024 * 1024;
/**
 * Of the whole process, which has 32 MiB for messages and 128 MiB of heap. Where grpc-js reads the calls, bombs for a method of ours take
 * 1,084 MB, and forwarded ones 2.4 GB.
 */
const MOST_RSS_BYTES = 512 * MEBIBYTE;
const KEY = { queue: 'q', jobSetId: 's' };
const JOB_ID = '01m85vnck01jqpr3vd00000001';
const HUGE_ID = '01m85vnck01jqpr3vd00000002';
/** Callers without credentials are told apart by their addresses. */
const ADDRESS_OF_ATTACKER = '127.0.0.2';
const CONNECTIONS = 3;
const LEAST_POLLS = 20;

const STATUS = JobsService.getJobStatus.path;
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

let stack: Stack;
let query: RunningQuery;
let attackers: ClientHttp2Session[];

beforeAll(async () => {
  stack = await Stack.start();
  const { state } = stack.armada;
  for (const [jobId, annotations] of [
    [JOB_ID, {}],
    [HUGE_ID, { huge: 'x'.repeat(MEBIBYTE) }],
  ] as const) {
    const job = armadaJob({ jobId, ...KEY });
    state.move(job, JobState.QUEUED, jobEvents.submitted(job, { namespace: 'ns', annotations }));
  }
  const limits = {
    PASS_THROUGH: 'on',
    MAX_BUFFERED_BYTES: String(32 * MEBIBYTE),
    NODE_OPTIONS: '--max-old-space-size=128',
  };
  [query] = await Promise.all([stack.query(limits), stack.ingester()]);
  await patiently('the job is known', async () => (await pollOfNeighbour()) === 'SUBMITTED');
}, 180_000);
afterAll(() => stack.stop());

beforeEach(() => {
  const [host = '', port] = query.grpc.split(':');
  attackers = Array.from({ length: CONNECTIONS }, () => {
    const attacker = connect(`http://${query.grpc}`, {
      createConnection: () => connectTcp({ host, port: Number(port), localAddress: ADDRESS_OF_ATTACKER }),
    });
    return attacker.on('error', () => undefined);
  });
});
afterEach(() => {
  for (const attacker of attackers) attacker.destroy();
});

interface Attack {
  readonly stream: ClientHttp2Stream;
  isBegun: boolean;
  code: status | 'reset' | undefined;
}

/** Opens calls of the method on all connections, and sends nothing yet. */
const open = (path: string, count: number): Attack[] =>
  Array.from({ length: count }, (_, i) => openOne(path, attackers[i % CONNECTIONS] as ClientHttp2Session));

function openOne(path: string, attacker: ClientHttp2Session): Attack {
  const stream = attacker.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    'grpc-encoding': 'gzip',
    te: 'trailers',
  });
  const attack: Attack = { stream, isBegun: false, code: undefined };
  for (const event of ['response', 'trailers']) {
    stream.on(event, (headers: Record<string, unknown>) => {
      attack.isBegun = true;
      if (headers['grpc-status'] !== undefined) attack.code = Number(headers['grpc-status']);
    });
  }
  stream.on('error', () => undefined);
  stream.on('close', () => (attack.code ??= 'reset'));
  return attack;
}

function framed(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const haveEnded = (attacks: readonly Attack[]): boolean => attacks.every(({ code }) => code !== undefined);
const codesOf = (attacks: readonly Attack[]): Set<unknown> => new Set(attacks.map(({ code }) => code));

/** The state that the neighbour is answered, or that there is nobody to answer. */
const pollOfNeighbour = (): Promise<string> =>
  patiently('Redis answers in time', async () => {
    if (query.app.exit !== undefined) return `the query has ended: ${query.app.exit}`;
    const answer = await poll(query.client, KEY, JOB_ID);
    return !isRedisTooLate(answer) && answer.state;
  });

/** Fails where the neighbour or a probe is not answered until the flood has done what it can, or where the process grows. */
async function withstand(what: string, isDone: () => boolean): Promise<void> {
  const flood = { isOver: false };
  const done = patiently(what, isDone).finally(() => (flood.isOver = true));
  done.catch(() => undefined);
  for (let polls = 0; !flood.isOver || polls < LEAST_POLLS; polls++) {
    expect(await pollOfNeighbour()).toBe('SUBMITTED');
    expect((await fetch(`${query.http}/healthz`)).status).toBe(200);
  }
  await done;
  expect(peakRssBytes(query.app.pid)).toBeLessThan(MOST_RSS_BYTES);
}

async function floodWithWhole(path: string, request: Buffer, count: number): Promise<Set<unknown>> {
  const attacks = open(path, count);
  for (const { stream } of attacks) stream.resume().end(request);
  await withstand('all have ended', () => haveEnded(attacks));
  return codesOf(attacks);
}

describe('a query with 32 MiB for messages lives and serves others while one caller sends', () => {
  // 1 MiB of them are 1 GiB. Each becomes as long as a forwarded request may be.
  const bomb = framed(gzipSync(Buffer.alloc(16 * MEBIBYTE)), true);
  const emptyIds = framed(gzipSync(Buffer.alloc(MEBIBYTE, Buffer.from([0x0a, 0]))), true);
  const tinyMessages = Buffer.alloc(5 * 10_000);

  it.each([
    ['a method of ours', STATUS],
    ['a forwarded method', QueueServiceService.getQueue.path],
    ['SubmitJobs', SubmitService.submitJobs.path],
  ])('1 MiB of gzip bombs to %s', async (_, path) => {
    expect(await floodWithWhole(path, bomb, 64)).toContain(status.RESOURCE_EXHAUSTED);
  });

  it('messages that become 500,000 empty ids', async () => {
    expect(await floodWithWhole(STATUS, emptyIds, 100)).toEqual(new Set([status.RESOURCE_EXHAUSTED]));
  });

  it.each([
    ['a method of ours', STATUS],
    ['SubmitJobs', SubmitService.submitJobs.path],
  ])('10,000 tiny messages in each call to %s', async (_, path) => {
    expect(await floodWithWhole(path, tinyMessages, 60)).not.toContain(status.OK);
  });

  it('reflection requests, and reads no answer', async () => {
    const attacks = open(REFLECTION, 20);
    // `fileContainingSymbol` of a type with many files: an answer is larger than a stream's window.
    const request = framed(Buffer.concat([Buffer.from([0x22, 8]), Buffer.from('api.Jobs')]));
    const requests = Buffer.concat(Array<Buffer>(20_000).fill(request));
    for (const { stream } of attacks) stream.write(requests);
    await withstand('all are answered', () => attacks.every(({ isBegun }) => isBegun));
  });

  it('requests for specs of 1 MiB, and reads none', async () => {
    const attacks = open(JobsService.getJobDetails.path, 200);
    const request = { jobIds: [HUGE_ID], expandJobSpec: true, expandJobRun: false };
    const bytes = framed(JobDetailsRequest.encode(request).finish());
    for (const { stream } of attacks) stream.end(bytes);
    await withstand('all are answered', () => attacks.every(({ isBegun }) => isBegun));
    expect(codesOf(attacks)).toEqual(new Set([status.RESOURCE_EXHAUSTED, undefined]));
  });

  it('requests that never end', async () => {
    const attacks = open(STATUS, 500);
    // A part of a message that would have 60,000 bytes, or a whole message without the end of the request.
    const requests = [Buffer.from([0, 0, 0, 0xea, 0x60, 0x0a]), framed(Buffer.alloc(0))];
    for (const [i, { stream }] of attacks.entries()) stream.resume().write(requests[i % 2]);
    await withstand('all have ended', () => haveEnded(attacks));
    expect(codesOf(attacks)).toEqual(new Set([status.DEADLINE_EXCEEDED]));
  });
});
