import { status } from '@grpc/grpc-js';
import type { Caller } from '../../caller.js';
import { RpcError } from '../../rpc-error.js';

/** Redis did not answer. */
export class RedisUnavailableError extends Error {
  constructor(cause: unknown) {
    super('Redis does not answer', { cause });
    this.name = 'RedisAwayError';
  }
}

/** Marks what a read of Redis rejects with, so that it is told from every other failure. */
export async function fromRedis<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw new RedisUnavailableError(error);
  }
}

const ASK_AGAIN_MS = 100;

export interface HoldOptions {
  /** How long a call is held while Redis is away. Milliseconds. */
  readonly holdMs: number;
  readonly redisFailed: (error: Error) => void;
  /** Waits within the work on a call. May reject. */
  readonly pause: (ms: number) => Promise<void>;
}

/**
 * Does work that reads Redis, again and again while Redis is away; where it stays away for `holdMs`, does the work `without`
 * Redis. Callers of `api.Jobs` survive a few seconds of silence better than an error (P5).
 */
export async function retryWhileRedisUnavailable<T>(
  caller: Caller,
  { holdMs, redisFailed, pause }: HoldOptions,
  work: () => Promise<T>,
  without: () => Promise<T>,
): Promise<T> {
  const until = Math.min(performance.now() + holdMs, caller.deadline - ASK_AGAIN_MS * 2);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      redisFailed(error.cause as Error);
      if (caller.isGone()) throw new RpcError(status.CANCELLED, 'the caller is gone');
      if (performance.now() >= until) return without();
      await pause(ASK_AGAIN_MS);
    }
  }
}
