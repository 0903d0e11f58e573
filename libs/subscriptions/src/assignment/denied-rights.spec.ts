import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient, redisErrorKind, type RedisClient } from '@ajs/job-store';
import { completesWithin } from '@ajs/platform';
import { RedisKeys, jobSetTag } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { listenForReadRequests } from './read-requests.js';
import { retryInfo } from './retry-info.js';
import { WORK_QUEUE, WorkQueue } from './work-queue.js';

const KEYS = new RedisKeys();

const KEY: JobSetKey = { queue: 'q', jobSetId: 's' };
const cleanUps: (() => unknown)[] = [];
let server: RedisServer;
let admin: Redis;
let denied: string[];

beforeEach(async () => {
  denied = [];
  server = await RedisServer.start();
  admin = new Redis(server.url);
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  admin.disconnect();
  await server.stop();
});

const onError = (error: Error): void => {
  if (redisErrorKind(error) === 'denied') denied.push(error.message);
};

async function clientWithout(...rules: readonly string[]): Promise<RedisClient> {
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', ...rules);
  const url = `redis://app:secret@127.0.0.1:${server.port}`;
  const client = createRedisClient({ kind: 'single', url }, 'work-queue', onError);
  cleanUps.push(() => client.disconnect());
  return client;
}

async function settled(work: Promise<unknown>): Promise<string> {
  const [{ status }] = await Promise.allSettled([work]);
  return status;
}

describe('a user of Redis without a right that is used only at the beginning', () => {
  it('has the work queue go on once INFO is granted', async () => {
    const queue = new WorkQueue(await clientWithout('-info'), onError);
    const enqueued = settled(queue.enqueue([KEY]));
    const taken: unknown[] = [];
    const worker = new Worker(WORK_QUEUE, (job) => Promise.resolve(taken.push(job.data)), {
      connection: retryInfo(await clientWithout('-info'), onError),
      prefix: KEYS.workQueuePrefix,
      // By itself it would begin without Redis, and try again without a pause.
      autorun: false,
    });
    worker.on('error', onError);
    cleanUps.push(() => completesWithin(2_000, worker.close()));
    const ready = settled(worker.waitUntilReady());
    // The queue's connection, and both of the worker's.
    await eventually('all of them were denied', () => denied.length >= 3);
    await admin.call('ACL', 'SETUSER', 'app', '+info');
    expect([await enqueued, await ready]).toEqual(['fulfilled', 'fulfilled']);
    void worker.run();
    await eventually('the job set is taken', () => taken.length === 1);
    expect(taken).toEqual([KEY]);
  });

  it('has read requests heard once their channel is granted', async () => {
    const client = await clientWithout('resetchannels');
    const requests: JobSetKey[] = [];
    const listening = listenForReadRequests(client, (key) => requests.push(key), onError);
    await eventually('it was denied', () => denied.length > 0);
    await admin.call('ACL', 'SETUSER', 'app', `&${KEYS.readRequestsChannel}`);
    await listening;
    await admin.publish(KEYS.readRequestsChannel, jobSetTag(KEY));
    await eventually('the request is heard', () => requests.length === 1);
  });

  it('has read requests heard again where their channel was denied to it for a while', async () => {
    const client = await clientWithout();
    const requests: JobSetKey[] = [];
    await listenForReadRequests(client, (key) => requests.push(key), onError);
    // Redis closes the connection of who listens to what it may not hear.
    await admin.call('ACL', 'SETUSER', 'app', 'resetchannels');
    await eventually('it is denied', () => denied.length > 0);
    await admin.call('ACL', 'SETUSER', 'app', `&${KEYS.readRequestsChannel}`);
    await eventually('a request is heard', async () => {
      await admin.publish(KEYS.readRequestsChannel, jobSetTag(KEY));
      return requests.length > 0;
    });
  });
});
