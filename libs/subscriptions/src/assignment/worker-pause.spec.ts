import { EventEmitter } from 'node:events';
import { jest } from '@jest/globals';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer, eventually } from '@ajs/testing';
import { Queue, Worker } from 'bullmq';
import { WorkerPause } from './worker-pause.js';

const REST_MS = 200;

let redis: RedisServer;
const clients: RedisClient[] = [];

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await redis.stop();
});

function connect(): RedisClient {
  const client = createRedisClient({ kind: 'single', url: redis.url }, 'work-queue', () => undefined);
  clients.push(client);
  return client;
}

describe('a worker whose Redis is full', () => {
  it('fetches now and then, and goes on when there is room', async () => {
    const admin = connect();
    const queue = new Queue('full', { connection: connect() });
    const done: string[] = [];
    const worker = new Worker('full', ({ name }) => Promise.resolve(void done.push(name)), {
      connection: connect(),
      autorun: false,
      skipStalledCheck: true,
    });
    const errors: number[] = [];
    worker.on('error', () => errors.push(performance.now()));
    const rest = new WorkerPause(worker, REST_MS);
    await queue.add('first', {});
    await admin.call('CONFIG', 'SET', 'maxmemory', '1');
    const running = worker.run();
    await eventually('it has tried five times', () => errors.length >= 5);
    // One error a rest; a timer may be early by a millisecond.
    expect((errors[4] ?? 0) - (errors[0] ?? 0)).toBeGreaterThan(4 * (REST_MS - 2));
    await admin.call('CONFIG', 'SET', 'maxmemory', '0');
    await eventually('it has taken the job', () => done.length === 1);
    rest.stop();
    await worker.close();
    await running;
    await queue.close();
  });
});

it('a worker that is being closed is neither paused nor resumed any more', () => {
  jest.useFakeTimers();
  try {
    const calls: string[] = [];
    const pause = () => Promise.resolve(void calls.push('pause'));
    const resume = () => Promise.resolve(void calls.push('resume'));
    const worker = Object.assign(new EventEmitter(), { pause, resume });
    const rest = new WorkerPause(worker as unknown as Worker, REST_MS);
    worker.emit('error', Object.assign(new Error('OOM'), { name: 'ReplyError' }));
    rest.stop();
    jest.advanceTimersByTime(REST_MS);
    expect(calls).toEqual(['pause']);
    new WorkerPause(worker as unknown as Worker, REST_MS).stop();
    worker.emit('error', Object.assign(new Error('OOM'), { name: 'ReplyError' }));
    expect(calls).toEqual(['pause']);
  } finally {
    jest.useRealTimers();
  }
});
