import { addMs } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fromRedis } from '../store/redis-read.js';
import { testCaller } from '../testing/test-caller.js';
import { retryWhileRedisUnavailable, type RedisRetryOptions } from './retry-while-redis-unavailable.js';

const UNAVAILABLE = 'Connection is closed.';
const DENIED = 'NOPERM this user has no permissions to run the command';
const LONG_MS = 3_600_000;

const failing = (message: string) => (): Promise<string> => fromRedis(Promise.reject(new Error(message)));
const without = (): Promise<string> => Promise.resolve('from Armada');

describe('a call while Redis is unavailable', () => {
  let failures: string[];
  let pauses: number[];

  beforeEach(() => {
    failures = [];
    pauses = [];
  });

  const retrying = (timeoutMs: number): RedisRetryOptions => ({
    timeoutMs,
    redisFailed: ({ message }) => failures.push(message),
    pause: (_, ms) => {
      return pauses.push(ms) > 10 ? Promise.reject(new Error('it is retried for ever')) : nextTurn();
    },
  });

  it('is retried until Redis is back', async () => {
    let tries = 0;
    const work = (): Promise<string> =>
      ++tries < 3 ? failing(UNAVAILABLE)() : Promise.resolve('from Redis');
    expect(await retryWhileRedisUnavailable(testCaller(), retrying(LONG_MS), work, without)).toBe(
      'from Redis',
    );
    expect(failures).toEqual([UNAVAILABLE, UNAVAILABLE]);
    expect(pauses).toEqual([100, 100]);
  });

  it('is answered by Armada once it was held for long enough', async () => {
    expect(await retryWhileRedisUnavailable(testCaller(), retrying(0), failing(UNAVAILABLE), without)).toBe(
      'from Armada',
    );
  });

  it('is answered by Armada in time for the caller’s deadline', async () => {
    const caller = testCaller({ deadline: addMs(monotonicNow(), 150) });
    expect(await retryWhileRedisUnavailable(caller, retrying(LONG_MS), failing(UNAVAILABLE), without)).toBe(
      'from Armada',
    );
    expect(pauses).toEqual([]);
  });

  it('is answered by Armada at once where Redis denies access, which no retry changes', async () => {
    expect(await retryWhileRedisUnavailable(testCaller(), retrying(LONG_MS), failing(DENIED), without)).toBe(
      'from Armada',
    );
    expect([failures, pauses]).toEqual([[DENIED], []]);
  });

  it('is dropped when its caller is gone', async () => {
    const gone = testCaller({ isGone: () => true });
    await expect(
      retryWhileRedisUnavailable(gone, retrying(LONG_MS), failing(UNAVAILABLE), without),
    ).rejects.toThrow('the caller cancelled the call');
  });

  it.each(['ERR Error running script: attempt to index a nil value', 'Cannot read properties of undefined'])(
    'is not retried where the read fails by a defect: %s',
    async (message) => {
      await expect(
        retryWhileRedisUnavailable(testCaller(), retrying(LONG_MS), failing(message), without),
      ).rejects.toThrow(message);
      expect([failures, pauses]).toEqual([[], []]);
    },
  );
});
