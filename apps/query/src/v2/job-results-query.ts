import type { JobResult } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { ArmadaJobs } from '@ajs/armada-client';
import type { JobId, MonotonicTime } from '@ajs/job-state';
import type { JobLister, ReadJob } from '@ajs/job-store';
import { armadaNow, monotonicNow } from '@ajs/platform';
import { encodeJobResult, encodeJobResults, type EncodedJobResult } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import { requirePermission } from '../access/job-permissions.js';
import { whyUnpublished } from '../absence/reasons.js';
import { isYoung } from '../absence/stream-verdict.js';
import { UnknownQueues } from '../absence/unknown-queues.js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import { JobSetGroups } from '../store/group-by-job-set.js';
import { fromRedis } from '../store/redis-read.js';
import type { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';
import type { JobSetReader } from './job-set-reader.js';
import { toResult, type Known } from './known-job.js';
import type { KnownJob, KnownJobs } from './known-jobs.js';
import type { RequestedJob } from './requests.js';

export interface JobResultsQueryOptions {
  readonly access: Pick<Access, 'toQueues' | 'toWatchedJobs'>;
  readonly lister: Pick<JobLister, 'locate'>;
  readonly reader: Pick<JobSetReader, 'read'>;
  readonly knownJobs: Pick<KnownJobs, 'keep'>;
  readonly resolver: Pick<UpstreamJobResolver, 'resolve'>;
  readonly armadaFor: (caller: Caller) => ArmadaJobs;
  /** A job younger than this is never absent. Milliseconds. */
  readonly notFoundGraceMs: number;
}

/**
 * What is known of jobs of any job sets, with one read of each job set. A job that is named by its id alone is located first, by the job
 * index and then by Armada's own `api.Jobs`.
 */
export class JobResultsQuery {
  private readonly unknownQueues = new UnknownQueues();

  constructor(private readonly options: JobResultsQueryOptions) {}

  /**
   * A result for each job, in their order. Rejects with RedisReadError, with PERMISSION_DENIED where the caller may not see one of them
   * (for a queue that the request names, whether or not the job exists), and with UNAVAILABLE where a job set cannot be read that was
   * not synced within `maxAgeMs` (left out: any age).
   */
  async run(jobs: readonly RequestedJob[], caller: Caller, maxAgeMs?: number): Promise<JobResult[]> {
    const known = await this.find(jobs, caller, maxAgeMs);
    return jobs.map((job) => toResult(job, knownOf(job, known)));
  }

  /** As {@link run}, encoded as a `BatchGetJobsResponse` behind so many bytes of room. What the jobs are shown as is known from then on. */
  async runEncoded(
    jobs: readonly (RequestedJob | KnownJob)[],
    caller: Caller,
    maxAgeMs: number | undefined,
    roomBytes: number,
  ): Promise<Buffer> {
    const beganAt = monotonicNow();
    const known = await this.find(jobs, caller, maxAgeMs);
    const results = jobs.map((job) => this.encoded(job, knownOf(job, known), beganAt));
    return encodeJobResults(results, roomBytes);
  }

  private encoded(job: RequestedJob | KnownJob, known: Known, readAt: MonotonicTime): EncodedJobResult {
    const { knownJobs } = this.options;
    const { freshness } = known;
    if ('shown' in known) {
      if (known.isReadAgain) knownJobs.keep(job, { ...known.shown, readAt });
      return known;
    }
    const encoded = encodeJobResult(toResult(job, known));
    if ('read' in known && isShownByStream(known.read)) {
      const { tag, read } = known;
      const { state, changedAt } = read.record;
      const status = { state, changedAt };
      knownJobs.keep(job, { tag, status, version: read.version, readAt, encoded });
    }
    return { encoded, freshness };
  }

  private async find(
    jobs: readonly (RequestedJob | KnownJob)[],
    caller: Caller,
    maxAgeMs: number | undefined,
  ): Promise<ReadonlyMap<RequestedJob, Known>> {
    const known = new Map<RequestedJob, Known>();
    const groups = new JobSetGroups<RequestedJob | KnownJob>();
    await this.addNamed(jobs, caller, groups, known);
    await this.addLocated(
      jobs.filter(({ key }) => key === undefined),
      caller,
      groups,
      known,
    );
    await Promise.all(
      groups
        .all()
        .map(({ key, tag, items }) =>
          this.options.reader.read({ key, tag, jobs: items, caller, maxAgeMs }, known),
        ),
    );
    return known;
  }

  /** Adds the jobs whose job set is named to the groups to read, or to what is known where their queue does not exist. */
  private async addNamed(
    jobs: readonly RequestedJob[],
    caller: Caller,
    groups: JobSetGroups<RequestedJob>,
    known: Map<RequestedJob, Known>,
  ): Promise<void> {
    const queues = new Set<string>();
    let last: string | undefined;
    for (const { key } of jobs) {
      if (key !== undefined && key.queue !== last) queues.add((last = key.queue));
    }
    if (queues.size === 0) return;
    const verdicts = await this.options.access.toQueues(caller, [...queues]);
    const isAnyGone = [...verdicts.values()].includes('no-queue');
    for (const job of jobs) {
      const { key, tag, jobId } = job;
      if (key === undefined) continue;
      if (!isAnyGone || verdicts.get(key.queue) !== 'no-queue') groups.add(key, job, tag);
      else known.set(job, ofNoQueue(key.queue, this.unknownQueues.isGone({ ...key, jobId }, caller.key)));
    }
  }

  /** As {@link addNamed}, of jobs that are named by their id alone. */
  private async addLocated(
    jobs: readonly RequestedJob[],
    caller: Caller,
    groups: JobSetGroups<RequestedJob>,
    known: Map<RequestedJob, Known>,
  ): Promise<void> {
    if (jobs.length === 0) return;
    const { access, lister, resolver, armadaFor } = this.options;
    const permissions = await access.toWatchedJobs(caller);
    const jobIds = Array.from(new Set(jobs.map(({ jobId }) => jobId)));
    const located = new Map(await fromRedis(lister.locate(jobIds)));
    const unlocated = jobIds.filter((jobId) => !located.has(jobId));
    let unanswered: string | undefined;
    let reported: ReadonlyMap<JobId, unknown> = new Map();
    if (unlocated.length > 0) {
      try {
        // What Armada knows of is recorded, and located from then on.
        reported = await resolver.resolve(unlocated, permissions, armadaFor(caller));
      } catch (error) {
        if (!(error instanceof RpcError && error.code === status.UNAVAILABLE)) throw error;
        unanswered = error.details;
      }
      for (const [jobId, key] of await fromRedis(lister.locate(unlocated))) located.set(jobId, key);
    }
    await requirePermission(permissions, located, ({ queue }) => queue);
    for (const job of jobs) {
      const key = located.get(job.jobId);
      if (key !== undefined) groups.add(key, job);
      else known.set(job, this.ofUnlocated(job.jobId, reported.has(job.jobId) ? UNRECORDED : unanswered));
    }
  }

  private ofUnlocated(jobId: JobId, unanswered: string | undefined): Known {
    if (unanswered !== undefined) {
      const reason = `${unanswered}; name the queue and the job set of the job, or ask again`;
      return { absent: 'not-synced', reason, freshness: undefined };
    }
    const { notFoundGraceMs } = this.options;
    if (isYoung(jobId, armadaNow(), notFoundGraceMs)) {
      const reason = whyUnpublished(notFoundGraceMs);
      return { absent: 'not-synced', reason, freshness: undefined };
    }
    const reason = "no job set that is followed holds the job, and Armada's api.Jobs does not know it";
    return { absent: 'not-found', reason, freshness: undefined };
  }
}

const UNRECORDED = 'Armada has the job, and it could not be recorded in Redis';

/** The stream still adds to an end that was reported, and to one that it has not shown. */
function isShownByStream({ record }: ReadJob): boolean {
  return record.lastEvent !== undefined && record.reported === undefined;
}

function ofNoQueue(queue: string, isGone: boolean): Known {
  const reason = `queue ${JSON.stringify(queue)} does not exist in Armada`;
  if (isGone) return { absent: 'not-found', reason, freshness: undefined };
  return {
    absent: 'not-synced',
    reason: `${reason}; a new one is visible after up to 10 s`,
    freshness: undefined,
  };
}

function knownOf(job: RequestedJob, all: ReadonlyMap<RequestedJob, Known>): Known {
  const known = all.get(job);
  if (known === undefined) throw new Error('a job was read without a result');
  return known;
}
