import { jest } from '@jest/globals';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { ROLLBACK_SHARDS } from '@ajs/redis-keys';
import { RedisServer } from '@ajs/testing';
import { RollbackDetector } from './rollback-detector.js';

let server: RedisServer;
let redis: RedisClient;
let lost = 0;
let detector: RollbackDetector;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
});
beforeEach(() => {
  lost = 0;
  detector = new RollbackDetector(
    redis,
    () => lost++,
    () => undefined,
  );
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

describe('a Redis that went back in time', () => {
  it('is noticed when it is empty, once', async () => {
    for (let n = 0; n < 3; n++) await detector.check();
    expect(lost).toBe(0);
    await redis.flushall();
    for (let n = 0; n < 3; n++) await detector.check();
    expect(lost).toBe(1);
  });

  it('is noticed when it lost one write, and not when it lost none', async () => {
    const key = redis.ownKeys.format({ kind: 'rollback', shard: 3 });
    await redis.flushall();
    for (let n = 0; n < 3; n++) await detector.check();
    await redis.set(key, 3);
    await detector.check();
    expect(lost).toBe(0);
    await redis.set(key, 3);
    await detector.check();
    expect(lost).toBe(1);
  });

  it('is looked for every second in all shards, one time after the other, until the detector is closed', async () => {
    jest.useFakeTimers();
    try {
      let count = 0;
      let answered = Promise.resolve();
      const incr = (): Promise<number> => answered.then(() => ++count);
      const counted = { incr: jest.fn(incr), ownKeys: redis.ownKeys };
      const looking = new RollbackDetector(
        counted as unknown as RedisClient,
        () => lost++,
        () => undefined,
      );
      looking.start();
      await jest.advanceTimersByTimeAsync(2_000);
      expect(counted.incr).toHaveBeenCalledTimes(2 * ROLLBACK_SHARDS);
      let answer = (): void => undefined;
      answered = new Promise((resolve) => (answer = resolve));
      await jest.advanceTimersByTimeAsync(5_000);
      expect(counted.incr).toHaveBeenCalledTimes(3 * ROLLBACK_SHARDS);
      answer();
      await jest.advanceTimersByTimeAsync(1_000);
      expect(counted.incr).toHaveBeenCalledTimes(4 * ROLLBACK_SHARDS);
      looking.close();
      await jest.advanceTimersByTimeAsync(5_000);
      expect(counted.incr).toHaveBeenCalledTimes(4 * ROLLBACK_SHARDS);
      expect(lost).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('is looked for again after a check that failed', async () => {
    const errors: string[] = [];
    const watching = new RollbackDetector(
      redis,
      () => lost++,
      ({ message }) => errors.push(message),
    );
    const key = redis.ownKeys.format({ kind: 'rollback', shard: 3 });
    await watching.check();
    await redis.set(key, 'no number');
    await watching.check();
    expect([errors, lost]).toEqual([[expect.stringContaining('not an integer')], 0]);
    await redis.set(key, 0);
    await watching.check();
    expect(lost).toBe(1);
  });

  it('is noticed when a part of it lost writes, though other replicas raise the numbers too', async () => {
    const other = new RollbackDetector(
      redis,
      () => undefined,
      () => undefined,
    );
    for (let n = 0; n < 10; n++) await Promise.all([detector.check(), other.check()]);
    expect(lost).toBe(0);
    await redis.set(redis.ownKeys.format({ kind: 'rollback', shard: 3 }), 12);
    await detector.check();
    expect(lost).toBe(1);
  });
});
