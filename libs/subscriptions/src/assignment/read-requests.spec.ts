import { jest } from '@jest/globals';
import type { JobSetKey } from '@ajs/job-state';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer, eventually } from '@ajs/testing';
import { RecordedQueue } from '../testing/recorded-queue.js';
import { ReadRequestSender, listenForReadRequests } from './read-requests.js';

const ignore = (): void => undefined;
const jobSet = (n: number): JobSetKey => ({ queue: 'q', jobSetId: `s${n}` });
let server: RedisServer;
let redis: RedisClient;
let subscriber: RedisClient;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', ignore);
  subscriber = createRedisClient({ kind: 'single', url: server.url }, 'work-queue', ignore);
});
afterAll(async () => {
  redis.disconnect();
  subscriber.disconnect();
  await server.stop();
});

it('a read request is sent before the job set is promoted: whoever is given the assignment has heard of it', async () => {
  const steps: string[] = [];
  const publisher = Object.assign(Object.create(redis) as RedisClient, {
    publish: async (channel: string, message: string) => {
      const receivers = await redis.publish(channel, message);
      steps.push('sent');
      return receivers;
    },
  });
  const promote = (): Promise<void> => Promise.resolve(void steps.push('promoted'));
  await new ReadRequestSender(publisher, { promote }).send(jobSet(3));
  expect(steps).toEqual(['sent', 'promoted']);
});

it('read requests are sent at most once a second for a job set, and promote it', async () => {
  const received: JobSetKey[] = [];
  await listenForReadRequests(subscriber, (key) => received.push(key), ignore);
  const queue = new RecordedQueue();
  const sender = new ReadRequestSender(redis, queue);
  for (let i = 0; i < 50; i++) await sender.send(jobSet(1));
  await redis.publish(redis.ownKeys.readRequestsChannel, 'rubbish');
  await sender.send(jobSet(2));
  await eventually('both are received', () => received.length >= 2);
  expect(received).toEqual([jobSet(1), jobSet(2)]);
  expect([...queue.promoted]).toEqual(['s1', 's2']);
});

it('a read request is sent again after a second, and no sooner', async () => {
  const queue = new RecordedQueue();
  const promote = jest.spyOn(queue, 'promote');
  const sender = new ReadRequestSender(redis, queue);
  const began = Math.round(performance.now());
  const now = jest.spyOn(performance, 'now').mockReturnValue(began);
  try {
    for (const ms of [0, 999, 1_000]) {
      now.mockReturnValue(began + ms);
      await sender.send(jobSet(1));
    }
    expect(promote).toHaveBeenCalledTimes(2);
  } finally {
    now.mockRestore();
  }
});
