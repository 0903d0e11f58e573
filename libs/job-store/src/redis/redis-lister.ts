import { Cursor, type JobSetKey, type JobId } from '@ajs/job-state';
import type { RedisClient } from '../client/redis-client.js';
import { decodeFailureDetails } from '../codec/failure-details.js';
import { packJobIds, unpackJobIds } from '../codec/job-id-codec.js';
import { readStatus, type RecordStatus } from '../codec/record-codec.js';
import { decodeJob } from '../codec/stored-job.js';
import { StoredVersion } from '../codec/stored-version.js';
import { ByteReader } from '../codec/varints.js';
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
import { readJobsReply, recordsOf } from '../scripts/jobs-reply.js';
import { withScripts, type Scripts } from '../scripts/scripts.js';
import { JobIndex } from './job-index.js';
import { JobLocator } from './job-locator.js';
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
    const { now, subscription, failureDetails } = reply;
    if (subscription === undefined) return { now, jobs: new Map(), unreadable: new Map() };
    const records = ByteReader.ofParts(reply.records);
    const decoded = decodeEach(jobIds, (_, i) =>
      records.nextPart() === 0 ? undefined : toStatus(readStatus(records), failureDetails.get(i)),
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
    const changed = recordsOf(reply, jobIds.length).map((record, i) => {
      if (record === undefined) return undefined;
      const stored = { record, failureDetails: reply.failureDetails.get(i), enrichment: reply.enrichment[i] };
      const [jobId, version] = [jobIds[i], seen[i]];
      if (jobId === undefined || version === undefined) return stored;
      if (!StoredVersion.isSeen(version, generation, stored)) return stored;
      unchanged.add(jobId);
      return undefined;
    });
    const dictionary = this.redis.ownKeys.format({ kind: 'strings', jobSet: key, generation });
    const decoded = await this.strings.decode(
      generation,
      (stringOf) =>
        decodeEach(jobIds, (jobId, i) => {
          const stored = changed[i];
          if (stored === undefined) return undefined;
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

/** Decodes the jobs that are there; what cannot be read of one says nothing of the others. */
function decodeEach<T>(
  jobIds: readonly JobId[],
  decode: (jobId: JobId, i: number) => T | undefined,
): { readonly jobs: Map<JobId, T>; readonly unreadable: Map<JobId, string> } {
  const jobs = new Map<JobId, T>();
  const unreadable = new Map<JobId, string>();
  for (let i = 0; i < jobIds.length; i++) {
    const jobId = jobIds[i];
    if (jobId === undefined) continue;
    try {
      const job = decode(jobId, i);
      if (job !== undefined) jobs.set(jobId, job);
    } catch (error) {
      if (!(error instanceof UnreadableRecordError)) throw error;
      unreadable.set(jobId, error.message);
    }
  }
  return { jobs, unreadable };
}

function toStatus(status: RecordStatus, details: Buffer | undefined): JobStatus {
  if (details === undefined) return statusOf(status);
  const { failure, cancellation } = decodeFailureDetails(details.toString());
  return statusOf({ ...status, failure, cancellation });
}
