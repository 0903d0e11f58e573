import { jest } from '@jest/globals';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { JOB_INDEX_GROUPS } from '@ajs/redis-keys';
import { RedisServer } from '@ajs/testing';
import { RollbackDetector } from './rollback-detector.js';

const NUMBERS = JOB_INDEX_GROUPS.length;

let server: RedisServer;
let redis: RedisClient;
let lost = 0;
let errors: string[] = [];
let detector: RollbackDetector;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
});
beforeEach(async () => {
  await redis.flushall();
  lost = 0;
  errors = [];
  detector = detectorOf('a');
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function detectorOf(replicaId: string, of: Pick<RedisClient, 'set' | 'ownKeys'> = redis): RollbackDetector {
  return new RollbackDetector(
    of as RedisClient,
    replicaId,
    () => lost++,
    ({ message }) => errors.push(message),
  );
}

const keyOf = (group: number, replicaId = 'a'): string =>
  redis.ownKeys.format({ kind: 'rollback', group, replicaId });

/** Checks every number once. */
async function round(of = detector): Promise<void> {
  for (let n = 0; n < NUMBERS; n++) await of.check();
}

describe('a Redis that went back in time', () => {
  it('is noticed once when it is empty', async () => {
    for (let n = 0; n < 3; n++) await round();
    expect(lost).toBe(0);
    await redis.flushall();
    await round();
    await round();
    expect(lost).toBe(1);
  });

  it('is noticed when it lost one write, and not when it lost none', async () => {
    await round();
    const before = (await redis.get(keyOf(3))) ?? '';
    await round();
    await round();
    expect(lost).toBe(0);
    await redis.set(keyOf(3), before);
    await round();
    expect(lost).toBe(1);
  });

  it('is noticed when it lost a write of one replica, whatever others have written since', async () => {
    const others = [detectorOf('b'), detectorOf('c')];
    await round();
    const before = (await redis.get(keyOf(3))) ?? '';
    await round();
    await redis.set(keyOf(3), before);
    for (const other of others) for (let n = 0; n < 3; n++) await round(other);
    expect(lost).toBe(0);
    await round();
    expect(lost).toBe(1);
  });

  it('is looked for every second in all numbers, one after the other, until the detector is closed', async () => {
    jest.useFakeTimers();
    try {
      let answered = Promise.resolve();
      const set = jest.fn<(key: string) => Promise<null>>(() => answered.then(() => null));
      const looking = detectorOf('a', { set, ownKeys: redis.ownKeys } as unknown as RedisClient);
      looking.start();
      await jest.advanceTimersByTimeAsync(1_000);
      expect(new Set(set.mock.calls.map(([key]) => key))).toEqual(
        new Set(JOB_INDEX_GROUPS.map((_, group) => keyOf(group))),
      );
      let answer = (): void => undefined;
      answered = new Promise((resolve) => (answer = resolve));
      await jest.advanceTimersByTimeAsync(5_000);
      expect(set).toHaveBeenCalledTimes(NUMBERS + 1);
      answer();
      await jest.advanceTimersByTimeAsync(1_000);
      expect(set).toHaveBeenCalledTimes(2 * NUMBERS + 1);
      looking.close();
      await jest.advanceTimersByTimeAsync(5_000);
      expect(set).toHaveBeenCalledTimes(2 * NUMBERS + 1);
    } finally {
      jest.useRealTimers();
    }
  });

  it('is looked for at each of three masters with any four numbers in a row', async () => {
    const masters: number[] = [];
    const set = (key: string): Promise<null> => {
      const group = JOB_INDEX_GROUPS.findIndex((_, each) => keyOf(each) === key);
      masters.push(Math.floor(((JOB_INDEX_GROUPS[group]?.slot ?? NaN) * 3) / 16_384));
      return Promise.resolve(null);
    };
    const looking = detectorOf('a', { set, ownKeys: redis.ownKeys } as unknown as RedisClient);
    await round(looking);
    await round(looking);
    for (let n = 0; n + 4 <= masters.length; n++) {
      expect(new Set(masters.slice(n, n + 4))).toEqual(new Set([0, 1, 2]));
    }
  });

  it('is looked for again after a check that failed', async () => {
    await round();
    await redis.del(keyOf(3));
    await redis.lpush(keyOf(3), 'no number');
    await round();
    expect([errors, lost]).toEqual([[expect.stringContaining('WRONGTYPE')], 0]);
    await redis.del(keyOf(3));
    await round();
    expect(lost).toBe(1);
  });

  it('is not taken for one where a write was done whose answer was lost', async () => {
    const set = (async (...args: Parameters<RedisClient['set']>) => {
      const before = await redis.set(...args);
      if (isCut) throw new Error('Connection is closed.');
      return before;
    }) as RedisClient['set'];
    const cut = detectorOf('a', { set, ownKeys: redis.ownKeys });
    let isCut = false;
    await round(cut);
    isCut = true;
    await round(cut);
    isCut = false;
    await round(cut);
    expect([errors.length, lost]).toEqual([NUMBERS, 0]);
  });

  it('is forgotten an hour after the last replica ended', async () => {
    await round();
    const ttl = await redis.ttl(keyOf(NUMBERS - 1));
    expect([ttl > 3_000, ttl <= 3_600]).toEqual([true, true]);
  });
});
