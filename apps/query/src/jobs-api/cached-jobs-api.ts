import { JobId, nameProblem } from '@ajs/job-state';
import type { ArmadaJobs } from '@ajs/armada-client';
import type { JobDetails } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import type { JobDetailsLister, JobLister, ProvisionalJobSink } from '@ajs/job-store';
import { LONGEST_EXTERNAL_URI, cut, toJobStatusResponse } from '@ajs/wire-mapping';
import type { LRUCache } from 'lru-cache';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { JobPermissions } from '../access/job-permissions.js';
import type { Caller } from '../caller.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { RpcError } from '../rpc-error.js';
import { CachedJobs, type CachedJob } from './cache/cached-jobs.js';
import { EnrichmentRecorder } from './cache/enrichment-recorder.js';
import type { JobsApi } from './jobs-api.js';
import { JobDetailsQuery } from './methods/job-details-query.js';
import { JobErrorsQuery } from './methods/job-errors-query.js';
import { JobStatesQuery } from './methods/job-states-query.js';
import { JobsByUriQuery } from './methods/jobs-by-uri-query.js';
import { checkIds, requestedIds } from './requested-ids.js';
import { retryWhileRedisUnavailable } from './retry-while-redis-unavailable.js';
import type { ReportRecorder } from '../upstream/report-recorder.js';
import type { ArmadaFor } from '../upstream/armada-for.js';
import { fromArmada, fromArmadaInstead } from '../upstream/upstream-errors.js';
import type { UpstreamJobResolver } from '../upstream/upstream-job-resolver.js';

export interface CachedJobsApiOptions {
  readonly access: Access;
  readonly lister: JobLister & JobDetailsLister;
  readonly enrichment: Pick<ProvisionalJobSink, 'addEnrichment'>;
  readonly armadaFor: ArmadaFor;
  readonly resolver: UpstreamJobResolver;
  readonly recorder: ReportRecorder;
  readonly noteInterest: NoteInterest;
  readonly terminalJobs: LRUCache<JobId, CachedJob>;
  readonly redisFailed: (error: Error) => void;
  /** A requested job has a record that this version cannot read. */
  readonly unreadableRecord: (jobId: JobId, reason: string) => void;
  /** The most ids in one call. */
  readonly maxJobIds: number;
  /** How long a call is retried while Redis is unavailable, before Armada is asked instead. Milliseconds. */
  readonly redisRetryTimeoutMs: number;
  /** Waits within the work on a call. May reject. */
  readonly pause: (caller: Caller, ms: number) => Promise<void>;
  /** How long the stream may take to show a provisional job. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/** `api.Jobs` from the cache; Armada's own `api.Jobs` is asked for what only it knows. */
export class CachedJobsApi implements JobsApi {
  private readonly cachedJobs: CachedJobs;
  private readonly states: JobStatesQuery;
  private readonly errors: JobErrorsQuery;
  private readonly details: JobDetailsQuery;
  private readonly byUri: JobsByUriQuery;

  constructor(private readonly options: CachedJobsApiOptions) {
    const { lister, resolver, recorder, noteInterest, terminalJobs } = options;
    const { redisFailed, unreadableRecord, provisionalGraceMs } = options;
    this.cachedJobs = new CachedJobs({
      ...{ lister, noteInterest, terminalJobs, unreadableRecord, recorder, provisionalGraceMs },
    });
    const { cachedJobs } = this;
    const enrichment = new EnrichmentRecorder(options.enrichment, redisFailed);
    this.states = new JobStatesQuery({ cachedJobs, resolver });
    this.errors = new JobErrorsQuery({ cachedJobs, resolver, enrichment });
    this.details = new JobDetailsQuery({ cachedJobs, enrichment, recorder, provisionalGraceMs });
    this.byUri = new JobsByUriQuery({ lister, states: this.states, noteInterest });
  }

  getJobStatus: JobsApi['getJobStatus'] = async (request, caller) => {
    checkIds('job_ids', request.jobIds, this.options.maxJobIds);
    const jobIds = request.jobIds.map(JobId);
    const permissions = await this.options.access.toJobs(caller);
    const armada = this.options.armadaFor(caller);
    const states = await this.retrying(
      caller,
      () => this.states.run(jobIds, permissions, armada),
      () => this.statesWithoutRedis(jobIds, permissions, armada),
    );
    return { jobIds, states };
  };

  getJobStatusUsingExternalJobUri: JobsApi['getJobStatusUsingExternalJobUri'] = async (request, caller) => {
    const { queue, jobset } = request;
    // As Armada's Lookout cuts it.
    const externalJobUri = cut(request.externalJobUri, LONGEST_EXTERNAL_URI);
    for (const [field, value] of [
      ['queue', queue],
      ['jobset', jobset],
    ] as const) {
      const problem = nameProblem(value);
      if (problem !== undefined) throw new RpcError(status.INVALID_ARGUMENT, `${field} ${problem}`);
    }
    if (externalJobUri === '') {
      throw new RpcError(status.INVALID_ARGUMENT, 'external_job_uri is empty');
    }
    const { access } = this.options;
    if ((await access.toJobsOf(caller, queue)) === 'no-queue') throw unknownQueue(queue);
    const permissions = await access.toJobs(caller);
    const armada = this.options.armadaFor(caller);
    const states = await this.retrying(
      caller,
      () => this.byUri.run({ queue, jobset, externalJobUri }, caller, permissions, armada),
      async () => {
        const named = await armada.byExternalUri({ queue, jobset, externalJobUri });
        const jobIds = [...named.keys()];
        return { jobIds, states: await this.statesWithoutRedis(jobIds, permissions, armada, named) };
      },
    );
    return toJobStatusResponse(states);
  };

  getJobErrors: JobsApi['getJobErrors'] = async (request, caller) => {
    const jobIds = this.requested('job_ids', request.jobIds).map(JobId);
    const permissions = await this.options.access.toJobs(caller);
    const armada = this.options.armadaFor(caller);
    const errors = await this.retrying(
      caller,
      () => this.errors.run(jobIds, permissions, armada),
      async () => {
        if (permissions.isRestricted) await this.options.resolver.withoutRedis(jobIds, permissions, armada);
        return armada.errors(jobIds);
      },
    );
    return { jobErrors: Object.fromEntries(errors) };
  };

  getJobDetails: JobsApi['getJobDetails'] = async (request, caller) => {
    const jobIds = this.requested('job_ids', request.jobIds).map(JobId);
    const expand = { spec: request.expandJobSpec, runs: request.expandJobRun };
    const permissions = await this.options.access.toJobs(caller);
    const armada = this.options.armadaFor(caller);
    const details = await this.retrying(
      caller,
      () => this.details.run(jobIds, expand, permissions, armada),
      () => this.options.resolver.withoutRedis(jobIds, permissions, armada, expand),
    );
    return { jobDetails: Object.fromEntries(expand.runs ? details : withoutRuns(details)) };
  };

  /** Runs of jobs that the caller may not see are left out, as those that do not exist are. */
  getJobRunDetails: JobsApi['getJobRunDetails'] = async (request, caller) => {
    const runIds = this.requested('run_ids', request.runIds);
    const permissions = await this.options.access.toJobs(caller);
    const armada = this.options.armadaFor(caller);
    const runs = [...(await fromArmada(armada.runDetails(runIds)))];
    if (!permissions.isRestricted) return { jobRunDetails: Object.fromEntries(runs) };
    const jobIds = new Set(runs.map(([, { jobId }]) => JobId(jobId)));
    const queues = await this.options.resolver.queuesOf([...jobIds], armada);
    const allowed = await permissions.allowedQueues(new Set(queues.values()));
    const visible = runs.filter(([, { jobId }]) => {
      const queue = queues.get(JobId(jobId));
      return queue !== undefined && allowed.has(queue);
    });
    return { jobRunDetails: Object.fromEntries(visible) };
  };

  getActiveQueues: JobsApi['getActiveQueues'] = async (_request, caller) => {
    const permissions = await this.options.access.toQueueNames(caller);
    const armada = this.options.armadaFor(caller);
    const all = await fromArmada(armada.activeQueues());
    if (!permissions.isRestricted) return all;
    const pools = Object.entries(all.activeQueuesByPool);
    const allowed = await permissions.allowedQueues(new Set(pools.flatMap(([, { queues }]) => queues)));
    const visible = pools
      .map(([pool, { queues }]) => [pool, { queues: queues.filter((queue) => allowed.has(queue)) }] as const)
      .filter(([, { queues }]) => queues.length > 0);
    return { activeQueuesByPool: Object.fromEntries(visible) };
  };

  private requested(field: string, ids: readonly string[]): string[] {
    return requestedIds(field, ids, this.options.maxJobIds);
  }

  /** Ended jobs that are in memory as they are there, others as Armada reports them by their ids, else as it has just named them. */
  private async statesWithoutRedis(
    jobIds: readonly JobId[],
    permissions: JobPermissions,
    armada: ArmadaJobs,
    named: ReadonlyMap<JobId, JobState> = new Map(),
  ): Promise<JobState[]> {
    const ended = await this.cachedJobs.ended(jobIds, permissions);
    const others = jobIds.filter((_, i) => ended[i] === undefined);
    const details = await this.options.resolver.withoutRedis(others, permissions, armada);
    return jobIds.map(
      (jobId, i) => ended[i]?.state ?? details.get(jobId)?.state ?? named.get(jobId) ?? JobState.UNKNOWN,
    );
  }

  private retrying<T>(caller: Caller, work: () => Promise<T>, armada: () => Promise<T>): Promise<T> {
    const { redisRetryTimeoutMs: timeoutMs, redisFailed, pause } = this.options;
    return retryWhileRedisUnavailable(caller, { timeoutMs, redisFailed, pause }, work, ({ message }) =>
      fromArmadaInstead(armada(), message),
    );
  }
}

function withoutRuns(jobs: ReadonlyMap<JobId, JobDetails>): Map<JobId, JobDetails> {
  return new Map(Array.from(jobs, ([jobId, details]) => [jobId, { ...details, jobRuns: [] }]));
}

/** Not an empty answer, on which Airflow submits the job a second time: the queue may be visible a moment later. */
function unknownQueue(queue: string): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    `queue ${JSON.stringify(queue)} does not exist in Armada; if it was created a moment ago, retry`,
  );
}
