import { connect, type Socket } from 'node:net';
import { JobsService } from '@ajs/contracts/api/job';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { eventually, unary } from '@ajs/testing';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { PassThrough } from '../pass-through/pass-through.js';
import type { GrpcCall } from './grpc-call.js';
import { GrpcServer } from './grpc-server.js';
import { FREE_PORT, PLAIN } from './testing/grpc-test-options.js';
import { DATA, END_STREAM, PREFACE, frame, headers, reset } from './testing/http2-frames.js';
import { publicMethod } from './unary-method.js';

const POLL = JobServiceService.getJobStatus.path;
const HELD = JobsService.getJobErrors.path;
const FORWARDED = '/api.Submit/SubmitJobs';
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** The codes of NO_ERROR, INTERNAL_ERROR and CANCEL. */
const CODES = [0, 2, 8];
const EMPTY_MESSAGE = Buffer.alloc(5);

let server: GrpcServer;
let neighbour: Client;
let attacker: Socket;
/** Calls of {@link HELD}, which wait until a test responds. */
let held: (() => void)[];
/** Forwarded calls: they read one message, and no more. */
let forwarded: GrpcCall[];
let cancelled: number;

beforeEach(async () => {
  [held, forwarded, cancelled] = [[], [], 0];
  const poll = publicMethod(JobServiceService.getJobStatus, 1_024, () => ({ state: 2, error: '' }));
  const hold = publicMethod(JobsService.getJobErrors, 1_024, async () => {
    await new Promise<void>((respond) => held.push(respond));
    return { jobErrors: { j: 'x'.repeat(1024 * 1024) } };
  });
  const passThrough = {
    maxRequestBytes: 1_024,
    forwarderOf: (path: string) => (path === FORWARDED ? forward : undefined),
    endWatches: () => undefined,
  } as unknown as PassThrough;
  server = new GrpcServer({ methods: [poll, hold], passThrough }, { ...PLAIN, responseTimeoutMs: 500 });
  const port = await server.listen(FREE_PORT);
  neighbour = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  attacker = connect(port, '127.0.0.1');
  attacker.on('error', () => undefined);
  attacker.resume();
  attacker.write(PREFACE);
});

afterEach(async () => {
  attacker.destroy();
  neighbour.close();
  await server.stop();
});

function forward(call: GrpcCall): void {
  forwarded.push(call);
  call.start({
    onMessage: () => undefined,
    onHalfClose: () => undefined,
    onProblem: () => undefined,
    onCancel: () => cancelled++,
  });
  call.startRead();
}

async function isServed(): Promise<boolean> {
  const request = { queue: 'q', jobSetId: 's', jobId: 'j' };
  return (await unary(neighbour, JobServiceService.getJobStatus, request)).answer.state === 2;
}

describe.each(CODES)('a stream that its peer resets with code %d', (code) => {
  it.each([
    ['a method', POLL, {}],
    ['no method', '/no/method', {}],
    ['reflection', REFLECTION, {}],
    ['a forwarded method', FORWARDED, {}],
    ['something that is not gRPC', POLL, { 'content-type': 'text/html' }],
    ['a malformed deadline', POLL, { 'grpc-timeout': 'x' }],
  ])('together with its headers, for %s, costs nobody else a call', async (_, path, more) => {
    const bodies = [undefined, frame(DATA, 0, 3, EMPTY_MESSAGE), frame(DATA, END_STREAM, 5, EMPTY_MESSAGE)];
    for (const [i, body = Buffer.alloc(0)] of bodies.entries()) {
      const stream = 2 * i + 1;
      attacker.write(Buffer.concat([headers(stream, path, more), body, reset(stream, code)]));
      expect(await isServed()).toBe(true);
    }
  });

  it('before its answer, or while that is sent, costs nobody else a call', async () => {
    const request = frame(DATA, END_STREAM, 1, EMPTY_MESSAGE);
    attacker.write(Buffer.concat([headers(1, HELD), request]));
    attacker.write(Buffer.concat([headers(3, HELD), frame(DATA, END_STREAM, 3, EMPTY_MESSAGE)]));
    await eventually('both are held', () => held.length === 2);
    attacker.write(reset(1, code));
    expect(await isServed()).toBe(true);
    // The answer has more bytes than the window of its stream.
    const answered = new Promise((resolve) => attacker.once('data', resolve));
    for (const respond of held) respond();
    await answered;
    attacker.write(reset(3, code));
    expect(await isServed()).toBe(true);
  });

  it('after its status was given, but not its answer taken, closes', async () => {
    attacker.write(Buffer.concat([headers(1, FORWARDED), frame(DATA, 0, 1, EMPTY_MESSAGE)]));
    await eventually('the call is there', () => forwarded.length === 1);
    const [call] = forwarded;
    call?.sendMessage(Buffer.alloc(1024 * 1024));
    call?.sendStatus({ code: status.OK, details: '' });
    attacker.write(reset(1, code));
    await eventually('the stream is closed', () => call?.stream.destroyed === true);
  });

  it('while it is not read is cancelled, and closes, before its deadline passes', async () => {
    const messages = Buffer.concat([EMPTY_MESSAGE, EMPTY_MESSAGE]);
    const sent = [headers(1, FORWARDED, { 'grpc-timeout': '500m' }), frame(DATA, 0, 1, messages)];
    attacker.write(Buffer.concat([...sent, frame(DATA, 0, 1, messages)]));
    await eventually('the stream is paused', () => forwarded[0]?.stream.isPaused() === true);
    attacker.write(Buffer.concat([frame(DATA, 0, 1, messages), reset(1, code)]));
    const [call] = forwarded;
    await eventually('the stream is reset', () => call?.stream.closed === true);
    // What a timer would do that comes now.
    call?.sendStatus({ code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' });
    await eventually('the stream is closed', () => call?.stream.destroyed === true);
    expect(cancelled).toBe(1);
    expect(await isServed()).toBe(true);
  });
});
