import { setTimeout as sleep } from 'node:timers/promises';
import { fromRedis, retryWhileRedisUnavailable } from './retry-while-redis-unavailable.js';

const caller = {
  deadline: Infinity,
  isGone: () => false,
  address: () => '',
  certificateName: () => undefined,
  authorization: [],
};
const failures: Error[] = [];
const hold = (holdMs: number) => ({
  holdMs,
  redisFailed: (error: Error) => failures.push(error),
  pause: (ms: number) => sleep(ms),
});
const away = (): Promise<string> => fromRedis(Promise.reject(new Error('connection refused')));
const without = (): Promise<string> => Promise.resolve('from Armada');

describe('a call while Redis is away', () => {
  beforeEach(() => failures.splice(0));

  it('is held until Redis is back', async () => {
    let tries = 0;
    const work = (): Promise<string> => (++tries < 3 ? away() : Promise.resolve('from Redis'));
    expect(await retryWhileRedisUnavailable(caller, hold(60_000), work, without)).toBe('from Redis');
    expect(failures.map(({ message }) => message)).toEqual(['connection refused', 'connection refused']);
  });

  it('asks Armada when it was held for long enough', async () => {
    expect(await retryWhileRedisUnavailable(caller, hold(0), away, without)).toBe('from Armada');
  });

  it('asks Armada in time for the caller’s deadline', async () => {
    const deadline = performance.now() + 300;
    expect(await retryWhileRedisUnavailable({ ...caller, deadline }, hold(3_600_000), away, without)).toBe(
      'from Armada',
    );
  });

  it('does not wait for a caller that is gone', async () => {
    const gone = { ...caller, isGone: () => true };
    await expect(retryWhileRedisUnavailable(gone, hold(3_600_000), away, without)).rejects.toThrow(
      'the caller is gone',
    );
  });

  it('is not held for anything else that goes wrong', async () => {
    const work = (): Promise<string> => Promise.reject(new RangeError('a defect'));
    await expect(retryWhileRedisUnavailable(caller, hold(60_000), work, without)).rejects.toThrow('a defect');
  });
});
