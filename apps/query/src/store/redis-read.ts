import { redisErrorKind, type RedisErrorKind } from '@ajs/job-store';

/** Redis cannot serve a read, for a reason that lies with Redis. */
export class RedisReadError extends Error {
  constructor(
    readonly kind: Exclude<RedisErrorKind, 'unexpected'>,
    override readonly cause: Error,
  ) {
    super(TEXT[kind]);
    this.name = 'RedisReadError';
  }
}

/** For callers: no name of a host or user, which the cause may hold. */
const TEXT: Record<RedisReadError['kind'], string> = {
  unavailable: 'Redis is unavailable',
  'write-refused': 'Redis refuses writes (check its memory and its log)',
  denied: 'Redis denies access to this service (check its login and ACL)',
};

/**
 * Marks what a read of Redis rejects with by its cause, so that a call knows Redis' errors from all others. What says nothing of Redis
 * (a reply that cannot be read, a script error) is a defect of this service, and passes as it is.
 */
export async function fromRedis<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof RedisReadError) throw error;
    const kind = redisErrorKind(error);
    throw kind === 'unexpected' ? error : new RedisReadError(kind, error as Error);
  }
}
