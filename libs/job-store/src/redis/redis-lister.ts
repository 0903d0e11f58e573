import { Cursor, type JobSetKey, type JobId } from '@ajs/job-state';
import type { RedisClient } from '../client/redis-client.js';
import { decodeFailureDetails } from '../codec/failure-details.js';
import { packJobIds, unpackJobIds } from '../codec/job-id-codec.js';
import { decodeStatus } from '../codec/record-codec.js';
import { UnreadableRecordError } from '../errors.js';
import { statusOf } from '../job-status.js';
import type {
  JobDetailsLister,
  JobLister,
  JobSetDetails,
  JobSetView,
  JobStatus,
  JobVersion,
} from '../ports.js';
import { readJobsReply, type ReadJobs } from '../scripts/jobs-reply.js';
import { withScripts, type Scripts } from '../scripts/scripts.js';
import { JobIndex } from './job-index.js';
import { JobLocator } from './job-locator.js';
import { decodeJob, type StoredJob } from '../codec/stored-job.js';
import { StoredVersion } from '../codec/stored-version.js';
import { toSubscription } from './stored-subscription.js';
import { StringDictionary } from './string-dictionary.js';

/** The lister over Redis 7.0 or later, single or Cluster. */
export class RedisJobLister implements JobLister, JobDetailsLister {
  private readonly redis: RedisClient & Scripts;
  private readonly locator: JobLocator;
  private readonly strings = new StringDictionary();

  /** @param now The clock for what is kept in memory: milliseconds. */
  constructor(redis: RedisClient, now?: () => number) {
    this.redis = withScripts(redis);
    this.locator = new JobLocator(new JobIndex(redis), now);
  }

  async read(key: JobSetKey, jobIds: readonly JobId[]): Promise<JobSetView> {
    const reply = readJobsReply(
      await this.redis.readJobsBuffer(this.redis.ownKeys.metaKey(key), packJobIds(jobIds)),
      jobIds.length,
    );
    const { now, subscription } = reply;
    if (subscription === undefined) return { now, jobs: new Map(), unreadable: new Map() };
    const decoded = decodeEach(jobIds, reply.records, (_, record, i) =>
      toStatus(record, reply.failureDetails.get(i)),
    );
    return { now, subscription: toSubscription(now, subscription), ...decoded };
  }

  async readDetails(
    key: JobSetKey,
    jobIds: readonly JobId[],
    seen: readonly (JobVersion | undefined)[] = [],
  ): Promise<JobSetDetails> {
    const reply = readJobsReply(
      await this.redis.readJobsBuffer(this.redis.ownKeys.metaKey(key), packJobIds(jobIds), 'enrichment'),
      jobIds.length,
      true,
    );
    const { now, generation, subscription } = reply;
    if (generation === undefined || subscription === undefined) {
      return { now, cursor: Cursor(''), jobs: new Map(), unchanged: new Set(), unreadable: new Map() };
    }
    const unchanged = new Set<JobId>();
    const changed = reply.records.map((record, i) => {
      const [jobId, version] = [jobIds[i], seen[i]];
      if (record === undefined || jobId === undefined || version === undefined) return record;
      if (!StoredVersion.isSeen(version, generation, storedJob(record, reply, i))) return record;
      unchanged.add(jobId);
      return undefined;
    });
    const dictionary = this.redis.ownKeys.format({ kind: 'strings', jobSet: key, generation });
    const decoded = await this.strings.decode(
      generation,
      (stringOf) =>
        decodeEach(jobIds, changed, (jobId, record, i) => {
          const stored = storedJob(record, reply, i);
          return { ...decodeJob(jobId, stored, stringOf), version: StoredVersion.of(generation, stored) };
        }),
      (numbers) => this.redis.hmget(dictionary, ...numbers.map(String)),
    );
    const cursor = Cursor(reply.cursor);
    return {
      now,
      generation,
      cursor,
      subscription: toSubscription(now, subscription),
      unchanged,
      ...decoded,
    };
  }

  async readUri(
    key: JobSetKey,
    externalUri: string,
  ): Promise<{ readonly submitted: readonly JobId[]; readonly annotated: readonly JobId[] }> {
    const [submitted, annotated] = await this.redis.readUriBuffer(
      this.redis.ownKeys.metaKey(key),
      externalUri,
    );
    return { submitted: unpackJobIds(submitted), annotated: unpackJobIds(annotated) };
  }

  async locate(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobSetKey>> {
    return this.locator.locate(jobIds);
  }
}

/** Decodes the records that are there; what cannot be read of one says nothing of the others. */
function decodeEach<T>(
  jobIds: readonly JobId[],
  records: ReadJobs['records'],
  decode: (jobId: JobId, record: Buffer, i: number) => T,
): { readonly jobs: Map<JobId, T>; readonly unreadable: Map<JobId, string> } {
  const jobs = new Map<JobId, T>();
  const unreadable = new Map<JobId, string>();
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

function storedJob(record: Buffer, { failureDetails, enrichment }: ReadJobs, i: number): StoredJob {
  return { record, failureDetails: failureDetails.get(i), enrichment: enrichment[i] };
}

function toStatus(record: Buffer, details: Buffer | undefined): JobStatus {
  const status = decodeStatus(record);
  if (details === undefined) return statusOf(status);
  const { failure, cancellation } = decodeFailureDetails(details.toString());
  return statusOf({ ...status, failure, cancellation });
}
