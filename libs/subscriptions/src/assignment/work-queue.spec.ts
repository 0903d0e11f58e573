import { jest } from '@jest/globals';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer } from '@ajs/testing';
import { Job, Queue } from 'bullmq';
import { WORK_QUEUE, WorkQueue, assignmentIdOf } from './work-queue.js';

const KEY = { queue: 'q', jobSetId: 's' };
const HOUR = 3_600_000;
const ignore = (): void => undefined;

let server: RedisServer;
let connection: RedisClient;

beforeAll(async () => {
  server = await RedisServer.start();
  connection = createRedisClient({ kind: 'single', url: server.url }, 'work-queue', ignore);
});

afterAll(async () => {
  connection.disconnect();
  await server.stop();
});

describe('a job set that waits for the time of its next read', () => {
  it('is assigned at once where several promote it at the same time: who comes too late has nothing to do', async () => {
    const bullmq = new Queue(WORK_QUEUE, { connection, prefix: connection.ownKeys.workQueuePrefix });
    await bullmq.add(WORK_QUEUE, KEY, { jobId: assignmentIdOf(KEY), delay: HOUR });
    const workQueue = new WorkQueue(connection, ignore);
    expect(await workQueue.countDelayed()).toBe(1);
    await Promise.all([workQueue.promote(KEY), workQueue.promote(KEY), workQueue.promote(KEY)]);
    expect([await workQueue.countDelayed(), await bullmq.getWaitingCount()]).toEqual([0, 1]);
    await bullmq.close();
    await workQueue.close();
  });

  it('is said not to be assigned where it fails for another reason', async () => {
    const bullmq = new Queue(WORK_QUEUE, { connection, prefix: connection.ownKeys.workQueuePrefix });
    const key = { ...KEY, jobSetId: 'another' };
    await bullmq.add(WORK_QUEUE, key, { jobId: assignmentIdOf(key), delay: HOUR });
    const workQueue = new WorkQueue(connection, ignore);
    const promote = jest
      .spyOn(Job.prototype, 'promote')
      .mockRejectedValue(new Error('Connection is closed.'));
    await expect(workQueue.promote(key)).rejects.toThrow('Connection is closed.');
    promote.mockRestore();
    await bullmq.close();
    await workQueue.close();
  });
});
