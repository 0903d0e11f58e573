import { Inject, Injectable } from '@nestjs/common';
import { redisErrorKind, type RedisErrorKind } from '@ajs/job-store';
import { Metrics, throttledLog, type Log } from '@ajs/observability';
import { LOG } from '../process/tokens.js';

/** Level and text of the log line of each cause. */
const LINES: Record<RedisErrorKind, readonly [level: 'warn' | 'error', text: string]> = {
  unavailable: ['warn', 'Redis command failed: Redis is unavailable'],
  'write-refused': [
    'warn',
    'Redis command failed: Redis refuses writes; give it more memory, or see what its log says',
  ],
  denied: ['error', 'Redis command failed: permission denied; check the Redis user and its ACL'],
  unexpected: ['error', 'Redis command failed unexpectedly; this is likely a defect of this service'],
};

/** What becomes of errors from Redis that nobody waits for: counted by cause, and logged once a minute each. */
@Injectable()
export class RedisErrorLog {
  private readonly isDue = throttledLog();

  constructor(
    @Inject(LOG) private readonly log: Log,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  /** Bound, so that it can be passed on as it is. */
  readonly report = (error: Error): void => {
    const cause = redisErrorKind(error);
    this.metrics.redisErrors.inc({ cause });
    const [level, text] = LINES[cause];
    this.log[this.isDue(`${cause} ${error.message}`) ? level : 'debug']({ err: error, cause }, text);
  };
}
