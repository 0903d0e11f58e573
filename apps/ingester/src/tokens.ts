/** The token of the Redis client that writes job states. */
export const REDIS_WRITER = Symbol('RedisWriter');
/** The token of the JobSink. */
export const JOB_SINK = Symbol('JobSink');
/** The token of the JobSetLife. */
export const JOB_SET_LIFE = Symbol('JobSetLife');
/** The token of the Lifetime: how long interest keeps a job set. */
export const LIFETIME = Symbol('Lifetime');
