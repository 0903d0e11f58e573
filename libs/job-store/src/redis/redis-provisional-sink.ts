import { randomBytes } from 'node:crypto';
import {
  report,
  toMs,
  type ArmadaTime,
  type JobEnrichment,
  type JobId,
  type JobRecord,
  type JobReport,
  type JobSetKey,
} from '@ajs/job-state';
import { inParts } from '@ajs/platform';
import type { RedisClient } from '../client/redis-client.js';
import { encodeEnrichment, encodeExternalUri } from '../codec/enrichment-codec.js';
import { changedFailureDetails, decodeFailureDetails } from '../codec/failure-details.js';
import { packJobId, packJobIds } from '../codec/job-id-codec.js';
import { toProvisionalRecord } from '../codec/provisional-record.js';
import { decodeRecord, decodeStatus, encodeRecord } from '../codec/record-codec.js';
import { UnreadableRecordError } from '../errors.js';
import { isAheadOfStream } from '../event-lag.js';
import { jobStatus } from '../job-status.js';
import type { JobStatus, ProvisionalJob, ProvisionalJobSink } from '../ports.js';
import { readJobsReply, recordsOf } from '../scripts/jobs-reply.js';
import { withScripts, type ScriptArgument, type Scripts } from '../scripts/scripts.js';
import { JobIndex } from './job-index.js';

/** Added by one script at the most: more would hold Redis for too long. */
const ADDED_AT_ONCE = 500;
/** How often a report is tried on a record that others change at the same time. */
const MAX_TRIES = 5;

type Reported = readonly [jobId: JobId, reported: JobReport];

/** A record to put in the place of another one. */
interface Change {
  readonly jobId: JobId;
  /** The record as it was read. Left out where there was none. */
  readonly bytes?: Buffer | undefined;
  readonly before?: JobRecord | undefined;
  readonly after: JobRecord;
  /** The time of a state that the stream should show, and has not shown yet. */
  readonly ahead?: ArmadaTime;
}

/** The sink of provisional jobs over Redis 7.0 or later, single or Cluster. */
export class RedisProvisionalJobSink implements ProvisionalJobSink {
  private readonly redis: RedisClient & Scripts;
  private readonly index: JobIndex;

  /** @param ttlSeconds The net under every key: what nobody renews goes after this time. */
  constructor(
    redis: RedisClient,
    private readonly ttlSeconds: number,
  ) {
    this.redis = withScripts(redis);
    this.index = new JobIndex(redis);
  }

  async addProvisionalJobs(key: JobSetKey, jobs: readonly ProvisionalJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const jobIds = jobs.map(({ jobId }) => jobId);
    const elsewhere = await this.index.claim(key, jobIds, this.ttlSeconds);
    const free = jobs.filter(({ jobId }) => !elsewhere.has(jobId));
    for (const some of inParts(free, ADDED_AT_ONCE)) {
      const uris = some.flatMap(({ jobId, externalUri }) =>
        externalUri === undefined ? [] : [externalUri, packJobIds([jobId]), encodeExternalUri(externalUri)],
      );
      await this.put(
        key,
        some.map((job) => ({ jobId: job.jobId, after: toProvisionalRecord(job) })),
        uris,
      );
    }
  }

  async report(
    key: JobSetKey,
    reports: ReadonlyMap<JobId, JobReport>,
  ): Promise<ReadonlyMap<JobId, JobStatus>> {
    const held = new Map<JobId, JobStatus>();
    for (const some of inParts(Array.from(reports), ADDED_AT_ONCE)) {
      // Also those that have a record: the index may have lost them.
      await this.index.add(
        key,
        some.map(([jobId]) => jobId),
        this.ttlSeconds,
      );
      // A record that others change over and over is returned as it was read.
      for (let left: readonly Reported[] = some, tries = 0; left.length > 0 && tries < MAX_TRIES; tries++) {
        left = await this.tryReport(key, left, held);
      }
    }
    return held;
  }

  async addEnrichment(key: JobSetKey, enrichment: ReadonlyMap<JobId, JobEnrichment>): Promise<void> {
    for (const some of inParts(Array.from(enrichment), ADDED_AT_ONCE)) {
      await this.redis.addEnrichment(
        this.redis.ownKeys.metaKey(key),
        this.ttlSeconds,
        ...some.flatMap(([jobId, enriched]) => [packJobId(jobId), encodeEnrichment(enriched)]),
      );
    }
  }

  /** Adds what these jobs have now to `held`; returns the reports of those that others changed in between. */
  private async tryReport(
    key: JobSetKey,
    reports: readonly Reported[],
    held: Map<JobId, JobStatus>,
  ): Promise<Reported[]> {
    const jobIds = reports.map(([jobId]) => jobId);
    const reply = readJobsReply(
      await this.redis.readJobsBuffer(this.redis.ownKeys.metaKey(key), packJobIds(jobIds)),
      jobIds.length,
    );
    const records = recordsOf(reply, jobIds.length);
    const changes: Change[] = [];
    reports.forEach(([jobId, reported], i) => {
      const bytes = records[i];
      const before = bytes && readRecord(jobId, bytes, reply.failureDetails.get(i));
      if (before === 'unreadable') return;
      if (before !== undefined) held.set(jobId, jobStatus(before.record, before.revision));
      const after = report(before?.record, reported);
      if (after !== before?.record) {
        const isAhead = isAheadOfStream(after.changedAt, reply.now);
        changes.push({
          jobId,
          bytes,
          before: before?.record,
          after,
          ...(isAhead && { ahead: after.changedAt }),
        });
      }
    });
    if (changes.length === 0) return [];
    const { revision, leftAlone } = await this.put(key, changes);
    changes.forEach(({ jobId, after }, i) => {
      if (!leftAlone.has(i)) held.set(jobId, jobStatus(after, revision));
    });
    const changed = new Set(changes.filter((_, i) => leftAlone.has(i)).map(({ jobId }) => jobId));
    return reports.filter(([jobId]) => changed.has(jobId));
  }

  private async put(
    key: JobSetKey,
    changes: readonly Change[],
    uris: readonly ScriptArgument[] = [],
  ): Promise<{ readonly revision: number; readonly leftAlone: ReadonlySet<number> }> {
    const [revision, ...leftAlone] = await this.redis.putRecords(
      this.redis.ownKeys.metaKey(key),
      randomBytes(8).toString('base64url'),
      this.ttlSeconds,
      uris.length / 3,
      ...uris,
      changes.length,
      ...changes.flatMap(({ jobId, bytes, before, after, ahead }) => [
        packJobId(jobId),
        bytes ?? '',
        encodeRecord(jobId, after, Number),
        changedFailureDetails(before, after),
        ahead === undefined ? '' : toMs(ahead),
      ]),
    );
    return { revision, leftAlone: new Set(leftAlone) };
  }
}

/** A stored record and its revision. The strings in it stay numbers of the dictionary, which only an owner may add to. */
function readRecord(
  jobId: JobId,
  bytes: Buffer,
  details: Buffer | undefined,
): { readonly record: JobRecord; readonly revision: number | undefined } | 'unreadable' {
  try {
    const failureDetails = details && decodeFailureDetails(details.toString());
    return {
      record: decodeRecord(jobId, bytes, failureDetails, String),
      revision: decodeStatus(bytes).revision,
    };
  } catch (error) {
    if (error instanceof UnreadableRecordError) return 'unreadable';
    throw error;
  }
}
