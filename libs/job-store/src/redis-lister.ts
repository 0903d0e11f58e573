import type { JobSetKey } from '@ajs/job-state';
import { formatKey } from '@ajs/redis-keys';
import { packJobIds } from './job-id-codec.js';
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
import { readJobsReply, type ReadJobs } from './jobs-reply.js';
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
    const reply = readJobsReply(await this.redis.readJobsBuffer(meta, packJobIds(jobIds)), jobIds.length);
    const { now, subscription } = reply;
    const jobs = new Map<string, JobStatus>();
    if (subscription === undefined) return { now, jobs };
    reply.records.forEach((record, i) => {
      const jobId = jobIds[i];
      if (record !== undefined && jobId !== undefined)
        jobs.set(jobId, toStatus(record, reply.reasons.get(i)));
    });
    return { now, subscription: toSubscription(now, subscription), jobs };
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

function toSubscription(
  now: number,
  [state, reason, level, contact]: NonNullable<ReadJobs['subscription']>,
): SubscriptionView {
  const silent = now - Number(contact) > STALLED_AFTER_MS;
  return {
    state: silent ? 'stalled' : (state as SubscriptionState),
    reason: silent ? `no ingester has written for ${Math.round((now - Number(contact)) / 1000)} s` : reason,
    ...(level !== '' && { levelAt: Number(level) }),
  };
}
