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
const PEERS = 50;

const getJobStatus = publicMethod(JobServiceService.getJobStatus, 1_024, () => ({ state: 2, error: '' }));

let server: GrpcServer;
let port: number;
let neighbour: Client;
let peers: Socket[];

beforeEach(async () => {
  peers = [];
  server = new GrpcServer(
    { methods: [getJobStatus] },
    { ...PLAIN, pings: { everyMs: 100, timeoutMs: 100 }, maxConnections: 2 * PEERS },
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

describe('peers that keep their connections half open', () => {
  it.each([
    ['send nothing', Buffer.alloc(0)],
    ['send what every connection begins with, and nothing more', PREFACE],
    ['send headers without their end', Buffer.concat([PREFACE, begun()])],
    ['go on sending headers', Buffer.concat([PREFACE, begun(), frame(CONTINUATION, 0, 1)])],
  ])('are disconnected where they %s, and nobody else is', async (_, bytes) => {
    for (let i = 0; i < PEERS; i++) {
      const peer = connect(port, '127.0.0.1');
      peers.push(peer.on('error', () => undefined).resume());
      await once(peer, 'connect');
      peer.write(bytes);
    }
    const channel = neighbour.getChannel();
    expect(await poll()).toBe(2);
    const state = channel.getConnectivityState(false);
    await eventually('all are disconnected', async () => {
      expect(await poll()).toBe(2);
      return peers.every(({ closed }) => closed);
    });
    expect(channel.getConnectivityState(false)).toBe(state);
  });
});
