import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { msBetween, type MonotonicTime } from '@ajs/job-state';
import { writeRefusalOf, type RedisClient, type WriteRefusal } from '@ajs/job-store';
import { Metrics, type Log } from '@ajs/observability';
import { monotonicNow } from '@ajs/platform';
import { PROBE_SHARDS } from '@ajs/redis-keys';
import { LOG } from '../process/tokens.js';
import { RedisConnections } from './redis-connections.js';

const PROBE_EVERY_MS = 1_000;
/** Writes are over for good, and not only those of some master, when none was refused for this long. */
const QUIET_MS = 3_000;
const PROBE_TTL_MS = 10_000;

const TEXT: Record<WriteRefusal, string> = {
  'out-of-memory':
    'Redis refuses writes: it has reached its maxmemory; give it more memory, or lower DELETE_AFTER_POLL',
  'not-persisting':
    'Redis refuses writes: it cannot save its data to disk (MISCONF); look for the cause in the log of Redis',
  'too-few-replicas':
    'Redis refuses writes: it has fewer replicas than min-replicas-to-write; look for those that are missing',
  'read-only': 'Redis refuses writes: the server is a read-only replica; REDIS_URL must lead to the master',
};

/**
 * Whether Redis takes writes. That it does not is learned from the first write that it refuses, and said once; that it does again is found
 * out by writes of its own, once a second until then.
 */
@Injectable()
export class RedisWrites implements OnModuleDestroy {
  private refusal: { readonly reason: WriteRefusal; reportedAt: MonotonicTime } | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(RedisConnections) private readonly redis: RedisConnections,
    @Inject(LOG) private readonly log: Log,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  /** Takes any error of Redis, and looks only at those of refused writes. */
  report(error: Error): void {
    const reason = writeRefusalOf(error);
    if (reason === undefined) return;
    const reportedAt = monotonicNow();
    if (this.refusal?.reason === reason) {
      this.refusal.reportedAt = reportedAt;
      return;
    }
    this.refusal = { reason, reportedAt };
    this.metrics.redisWritesRefused.reset();
    this.metrics.redisWritesRefused.set({ reason }, 1);
    this.log.error({ err: error, reason }, TEXT[reason]);
    this.timer ??= setInterval(() => void this.probe(this.redis.main), PROBE_EVERY_MS).unref();
  }

  /** Rejects, with the reason, while Redis refuses writes. */
  check(): Promise<void> {
    return this.refusal === undefined
      ? Promise.resolve()
      : Promise.reject(new Error(TEXT[this.refusal.reason]));
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async probe(redis: RedisClient): Promise<void> {
    // On every master, as good as always: one of them may refuse writes alone.
    const keys = Array.from({ length: PROBE_SHARDS }, (_, shard) =>
      redis.ownKeys.format({ kind: 'probe', shard }),
    );
    try {
      await Promise.all(keys.map((key) => redis.set(key, '', 'PX', PROBE_TTL_MS)));
    } catch (error) {
      this.report(error as Error);
      return;
    }
    // A master that has none of the keys may refuse writes still: then they go on being reported.
    if (this.refusal === undefined || msBetween(this.refusal.reportedAt, monotonicNow()) < QUIET_MS) return;
    const { reason } = this.refusal;
    this.refusal = undefined;
    clearInterval(this.timer);
    this.timer = undefined;
    this.metrics.redisWritesRefused.reset();
    this.log.info({ reason }, 'Redis takes writes again');
  }
}
