import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { eventually, unary } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { GrpcServer } from './grpc-server.js';
import { FREE_PORT, PLAIN } from './testing/grpc-test-options.js';
import { CONTINUATION, HEADERS, PREFACE, frame, headers } from './testing/http2-frames.js';
import { publicMethod } from './unary-method.js';

const PATH = JobServiceService.getJobStatus.path;
/** Of each kind. */
const PEERS = 20;

const getJobStatus = publicMethod(JobServiceService.getJobStatus, 1_024, () => ({ state: 2, error: '' }));

let server: GrpcServer;
let port: number;
let neighbour: Client;
let peers: Socket[];

beforeEach(async () => {
  peers = [];
  server = new GrpcServer(
    { methods: [getJobStatus] },
    { ...PLAIN, pings: { everyMs: 100, timeoutMs: 3_000 }, maxConnections: 1_000 },
  );
  port = await server.listen(FREE_PORT);
  neighbour = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterEach(async () => {
  for (const peer of peers) peer.destroy();
  neighbour.close();
  await server.stop();
});

/** Headers of a call whose block has not ended. */
function begun(): Buffer {
  const whole = headers(1, PATH);
  return frame(HEADERS, 0, 1, whole.subarray(whole.length - whole.readUIntBE(0, 3)));
}

async function poll(): Promise<number> {
  const { answer } = await unary(neighbour, JobServiceService.getJobStatus, {
    queue: 'q',
    jobSetId: 's',
    jobId: 'j',
  });
  return answer.state;
}

it('peers that keep their connections half open, and so answer no pings, are disconnected, while others are served', async () => {
  const kinds = [
    Buffer.alloc(0),
    // What every connection begins with, and nothing more; then headers without their end.
    PREFACE,
    Buffer.concat([PREFACE, begun()]),
    Buffer.concat([PREFACE, begun(), frame(CONTINUATION, 0, 1)]),
  ];
  expect(await poll()).toBe(2);
  for (const bytes of kinds.flatMap((kind) => Array<Buffer>(PEERS).fill(kind))) {
    const peer = connect(port, '127.0.0.1');
    peers.push(peer.on('error', () => undefined).resume());
    await once(peer, 'connect');
    peer.write(bytes);
  }
  expect(await poll()).toBe(2);
  await eventually('all are disconnected', () => peers.every(({ closed }) => closed), 20_000);
  expect(await poll()).toBe(2);
});
