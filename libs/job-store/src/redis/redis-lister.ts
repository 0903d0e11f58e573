import { RedisTime, laterOf, msBetween, type JobSetKey } from '@ajs/job-state';
import { formatKey } from '@ajs/redis-keys';
import { decodeEnrichment } from '../codec/enrichment-codec.js';
import { packJobIds, unpackJobIds } from '../codec/job-id-codec.js';
import { UnreadableRecordError } from '../errors.js';
import { JobIndex } from './job-index.js';
import {
  STALLED_AFTER_MS,
  type DetailedJob,
  type JobDetailsLister,
  type JobLister,
  type JobSetDetails,
  type JobSetView,
  type JobStatus,
  type SubscriptionState,
  type SubscriptionView,
} from '../ports.js';
import {
  decodeChangedAt,
  decodeFailureDetails,
  decodeRecord,
  decodeState,
  isProvisional,
  type StringOf,
} from '../codec/record-codec.js';
import { readJobsReply, type ReadJobs } from '../codec/jobs-reply.js';
import { withScripts, type RedisClient, type Scripts } from '../scripts/scripts.js';
import { StringDictionary } from './string-dictionary.js';

/** The lister over Redis 7.0 or later, single or Cluster. */
export class RedisJobLister implements JobLister, JobDetailsLister {
  private readonly redis: RedisClient & Scripts;
  private readonly index: JobIndex;
  private readonly words = new StringDictionary();

  /** @param now The clock for what is kept in memory: milliseconds. */
  constructor(redis: RedisClient, now?: () => number) {
    this.redis = withScripts(redis);
    this.index = new JobIndex(redis, now);
  }

  async read(key: JobSetKey, jobIds: readonly string[]): Promise<JobSetView> {
    const reply = readJobsReply(
      await this.redis.readJobsBuffer(metaKey(key), packJobIds(jobIds)),
      jobIds.length,
    );
    const { now, subscription } = reply;
    if (subscription === undefined) return { now, jobs: new Map(), unreadable: new Map() };
    const decoded = decodeEach(jobIds, reply, (_, record, i) => toStatus(record, reply.reasons.get(i)));
    return { now, subscription: toSubscription(now, subscription), ...decoded };
  }

  async readDetails(key: JobSetKey, jobIds: readonly string[]): Promise<JobSetDetails> {
    const reply = readJobsReply(
      await this.redis.readJobsBuffer(metaKey(key), packJobIds(jobIds), 'facts'),
      jobIds.length,
      true,
    );
    const { now, generation, subscription } = reply;
    if (generation === undefined || subscription === undefined) {
      return { now, jobs: new Map(), unreadable: new Map() };
    }
    const words = formatKey({ kind: 'words', jobSet: key, generation });
    const decoded = await this.words.decode(
      generation,
      (wordOf) => decodeEach(jobIds, reply, (jobId, record, i) => toDetails(jobId, record, reply, i, wordOf)),
      (numbers) => this.redis.hmget(words, ...numbers.map(String)),
    );
    return { now, subscription: toSubscription(now, subscription), ...decoded };
  }

  async readUri(
    key: JobSetKey,
    externalUri: string,
  ): Promise<{ readonly submitted: readonly string[]; readonly annotated: readonly string[] }> {
    const [submitted, annotated] = await this.redis.readUriBuffer(metaKey(key), externalUri);
    return { submitted: unpackJobIds(submitted), annotated: unpackJobIds(annotated) };
  }

  async locate(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobSetKey>> {
    return this.index.locate(jobIds);
  }
}

function metaKey(key: JobSetKey): string {
  return formatKey({ kind: 'meta', jobSet: key });
}

/** Decodes the records that are there; what cannot be read of one says nothing of the others. */
function decodeEach<T>(
  jobIds: readonly string[],
  { records }: ReadJobs,
  decode: (jobId: string, record: Buffer, i: number) => T,
): { readonly jobs: Map<string, T>; readonly unreadable: Map<string, string> } {
  const jobs = new Map<string, T>();
  const unreadable = new Map<string, string>();
  records.forEach((record, i) => {
    const jobId = jobIds[i];
    if (record === undefined || jobId === undefined) return;
    try {
      jobs.set(jobId, decode(jobId, record, i));
    } catch (error) {
      if (!(error instanceof UnreadableRecordError)) throw error;
      unreadable.set(jobId, error.message);
    }
  });
  return { jobs, unreadable };
}

function toDetails(
  jobId: string,
  record: Buffer,
  { facts, reasons }: ReadJobs,
  i: number,
  wordOf: StringOf,
): DetailedJob {
  const told = reasons.get(i);
  const known = facts[i];
  return {
    record: decodeRecord(jobId, record, told && decodeFailureDetails(told.toString()), wordOf),
    enrichment: known === undefined ? {} : decodeEnrichment(known.toString()),
  };
}

function toStatus(record: Buffer, reasons: Buffer | undefined): JobStatus {
  const { failure, cancellation } = reasons === undefined ? {} : decodeFailureDetails(reasons.toString());
  return {
    state: decodeState(record),
    changedAt: decodeChangedAt(record),
    ...(isProvisional(record) && { provisional: true as const }),
    ...(failure !== undefined && { failure }),
    ...(cancellation !== undefined && { cancellation }),
  };
}

function toSubscription(
  now: RedisTime,
  [state, reason, level, contact, next]: NonNullable<ReadJobs['subscription']>,
): SubscriptionView {
  const heartbeatAt = RedisTime(Number(contact));
  const silent = msBetween(laterOf(heartbeatAt, RedisTime(Number(next))), now) > STALLED_AFTER_MS;
  return {
    state: silent ? 'stalled' : (state as SubscriptionState),
    reason: silent
      ? `no ingester has written for ${Math.round(msBetween(heartbeatAt, now) / 1000)} s`
      : reason,
    ...(level !== '' && { syncedAt: RedisTime(Number(level)) }),
    ...(next !== '' && { nextReadAt: RedisTime(Number(next)) }),
  };
}
