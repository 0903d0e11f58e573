import { Inject, Injectable } from '@nestjs/common';
import { redisErrorKind, type RedisErrorKind } from '@ajs/job-store';
import { Metrics, throttledLog, type Log, type ThrottledLog } from '@ajs/observability';
import { LOG } from '../process/tokens.js';
import { RedisWrites } from './redis-writes.js';

/** {@link RedisWrites} has one line for all refused writes. */
type LoggedKind = Exclude<RedisErrorKind, 'write-refused'>;

/** Level and text of the log line of each cause. */
const LINES: Record<LoggedKind, readonly [level: 'warn' | 'error', text: string]> = {
  unavailable: ['warn', 'Redis command failed: Redis is unavailable'],
  denied: ['error', 'Redis command failed: permission denied; check the ACL of the Redis user'],
  unexpected: ['error', 'Redis command failed unexpectedly; this is likely a defect of this service'],
};

/** Counts errors from Redis by their cause, and logs them: each at most once a minute, however often it comes. */
@Injectable()
export class RedisErrorLog {
  private readonly log: ThrottledLog;

  constructor(
    @Inject(LOG) log: Log,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(RedisWrites) private readonly writes: Pick<RedisWrites, 'report'>,
  ) {
    this.log = throttledLog(log);
  }

  /** `about` is added to the line. Bound, so that it can be passed on as a callback. */
  readonly report = (error: Error, about: object = {}): void => {
    const cause = redisErrorKind(error);
    this.metrics.redisErrors.inc({ cause });
    if (cause === 'write-refused') {
      this.writes.report(error);
      return;
    }
    const [level, text] = LINES[cause];
    this.log(level, { ...about, err: error, cause }, text, `${cause} ${error.message}`);
  };
}
