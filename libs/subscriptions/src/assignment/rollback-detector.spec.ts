import { jest } from '@jest/globals';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
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

  it('is looked for until the detector is closed', () => {
    const timers = jest.spyOn(globalThis, 'setInterval');
    const stopped = jest.spyOn(globalThis, 'clearInterval');
    detector.start();
    const timer = timers.mock.results[0]?.value as NodeJS.Timeout;
    expect(stopped).not.toHaveBeenCalledWith(timer);
    detector.close();
    expect(stopped).toHaveBeenCalledWith(timer);
    jest.restoreAllMocks();
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
