import { msBetween, addMs } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { callerGone, type Caller } from '../caller.js';
import { RedisReadError } from '../store/redis-read.js';

const RETRY_AFTER_MS = 100;

export interface RedisRetryOptions {
  /** How long a call is retried while Redis is unavailable. Milliseconds. */
  readonly timeoutMs: number;
  readonly redisFailed: (error: Error) => void;
  /** Waits within the work on a call. May reject. */
  readonly pause: (caller: Caller, ms: number) => Promise<void>;
}

/**
 * Does work that reads Redis, and retries it while Redis is unavailable; after `timeoutMs`, or at once where no retry can help since Redis
 * denies access, does the work `without` Redis. Callers of `api.Jobs` survive a few seconds of silence better than an error (P5). Any
 * other error is not retried.
 */
export async function retryWhileRedisUnavailable<T>(
  caller: Caller,
  { timeoutMs, redisFailed, pause }: RedisRetryOptions,
  work: () => Promise<T>,
  without: (why: RedisReadError) => Promise<T>,
): Promise<T> {
  const now = monotonicNow();
  const until = addMs(now, Math.min(timeoutMs, msBetween(now, caller.deadline) - RETRY_AFTER_MS * 2));
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RedisReadError)) throw error;
      redisFailed(error.cause);
      if (caller.isGone()) throw callerGone(caller);
      if (error.kind !== 'unavailable' || monotonicNow() >= until) return without(error);
      await pause(caller, RETRY_AFTER_MS);
    }
  }
}
