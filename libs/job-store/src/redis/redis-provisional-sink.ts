import { randomBytes } from 'node:crypto';
import type { JobEnrichment, JobSetKey, TerminalState, JobId } from '@ajs/job-state';
import { formatKey } from '@ajs/redis-keys';
import type { RedisClient } from '../client/redis-client.js';
import { encodeEnrichment } from '../codec/enrichment-codec.js';
import { encodeFailureDetails, failureDetailsOf } from '../codec/failure-details.js';
import { packJobId, packJobIds } from '../codec/job-id-codec.js';
import { toProvisionalRecord } from '../codec/provisional-record.js';
import type { ProvisionalJobSink, ProvisionalJob } from '../ports.js';
import { encodeRecord, numberOfState } from '../codec/record-codec.js';
import { withScripts, type ScriptArgument, type Scripts } from '../scripts/scripts.js';
import { JobIndex } from './job-index.js';

/** Added by one script at the most: more would hold Redis for too long. */
const ADDED_AT_ONCE = 500;

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
    await Promise.all([
      this.index.name(key, this.ttlSeconds),
      this.index.add(
        key,
        jobs.map(({ jobId }) => jobId),
        this.ttlSeconds,
      ),
    ]);
    for (const some of inParts(jobs)) {
      const uris = some.flatMap(({ jobId, externalUri }) =>
        externalUri === undefined ? [] : [externalUri, packJobIds([jobId])],
      );
      await this.redis.addProvisionalJobs(
        formatKey({ kind: 'meta', jobSet: key }),
        randomBytes(8).toString('base64url'),
        this.ttlSeconds,
        some.length,
        ...some.flatMap(toArguments),
        uris.length / 2,
        ...uris,
      );
    }
  }

  async addTerminalStates(key: JobSetKey, ends: ReadonlyMap<JobId, TerminalState>): Promise<void> {
    for (const some of inParts(Array.from(ends))) {
      await this.redis.addTerminalStates(
        formatKey({ kind: 'meta', jobSet: key }),
        ...some.flatMap(([jobId, state]) => [packJobId(jobId), numberOfState(state)]),
      );
    }
  }

  async addEnrichment(key: JobSetKey, enrichment: ReadonlyMap<JobId, JobEnrichment>): Promise<void> {
    for (const some of inParts(Array.from(enrichment))) {
      await this.redis.addEnrichment(
        formatKey({ kind: 'meta', jobSet: key }),
        this.ttlSeconds,
        ...some.flatMap(([jobId, enriched]) => [packJobId(jobId), encodeEnrichment(enriched)]),
      );
    }
  }
}

function toArguments(job: ProvisionalJob): ScriptArgument[] {
  const record = toProvisionalRecord(job);
  const details = failureDetailsOf(record);
  return [
    packJobId(job.jobId),
    encodeRecord(job.jobId, record, hasNoStrings),
    details === undefined ? '' : encodeFailureDetails(details),
  ];
}

function hasNoStrings(): never {
  throw new Error('a provisional record has no strings');
}

function inParts<T>(all: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < all.length; at += ADDED_AT_ONCE) parts.push(all.slice(at, at + ADDED_AT_ONCE));
  return parts;
}
