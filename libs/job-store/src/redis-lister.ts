import type { JobSetKey } from '@ajs/job-state';
import { formatKey } from '@ajs/redis-keys';
import { packJobId } from './job-id-codec.js';
import { JobIndex } from './job-index.js';
import {
  STALLED_AFTER_MS,
  type JobLister,
  type JobSetView,
  type JobStatus,
  type SubscriptionState,
  type SubscriptionView,
} from './ports.js';
import { decodeChangedAt, decodeReasons, decodeState } from './record-codec.js';
import { withScripts, type RedisClient, type Scripts } from './scripts.js';

/** The lister over Redis 7.0 or later, single or Cluster. */
export class RedisJobLister implements JobLister {
  private readonly redis: RedisClient & Scripts;
  private readonly index: JobIndex;

  constructor(redis: RedisClient) {
    this.redis = withScripts(redis);
    this.index = new JobIndex(redis);
  }

  async read(key: JobSetKey, jobIds: readonly string[]): Promise<JobSetView> {
    const meta = formatKey({ kind: 'meta', jobSet: key });
    const [now, generation, state, reason, level, contact, ...jobs] = await this.redis.readJobsBuffer(
      meta,
      '1',
      ...jobIds.map(packJobId),
    );
    const found = new Map<string, JobStatus>();
    if (generation === undefined) return { now, jobs: found };
    jobIds.forEach((jobId, i) => {
      const record = jobs[2 * i];
      if (Buffer.isBuffer(record)) found.set(jobId, toStatus(record, jobs[2 * i + 1] ?? undefined));
    });
    return {
      now,
      subscription: toSubscription(now, [state, reason, level, contact].map(String)),
      jobs: found,
    };
  }

  async locate(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobSetKey>> {
    return this.index.locate(jobIds);
  }
}

function toStatus(record: Buffer, reasons: Buffer | undefined): JobStatus {
  const { failure, cancellation } = reasons === undefined ? {} : decodeReasons(reasons.toString());
  return {
    state: decodeState(record),
    changedAt: decodeChangedAt(record),
    ...(failure !== undefined && { failure }),
    ...(cancellation !== undefined && { cancellation }),
  };
}

function toSubscription(now: number, [state, reason, level, contact]: string[]): SubscriptionView {
  const silent = now - Number(contact) > STALLED_AFTER_MS;
  return {
    state: silent ? 'stalled' : (state as SubscriptionState),
    reason: silent
      ? `no ingester has written for ${Math.round((now - Number(contact)) / 1000)} s`
      : (reason ?? ''),
    ...(level !== '' && { levelAt: Number(level) }),
  };
}
