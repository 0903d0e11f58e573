import type { BoundedCache } from '@ajs/platform';
import type { ArmadaJobs } from '@ajs/armada-client';
import type { JobSetKey } from '@ajs/job-state';
import type { JobDetailsLister, ProvisionalJobSink, JobLister } from '@ajs/job-store';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { JobRights } from '../access/job-rights.js';
import type { Caller } from '../caller.js';
import { nameProblem } from '../name-problem.js';
import { RpcError } from '../rpc-error.js';
import { requestedIds } from './requested-ids.js';
import { EnrichmentRecorder } from './cache/enrichment-recorder.js';
import { JobDetailsQuery } from './methods/job-details-query.js';
import { JobErrorsQuery } from './methods/job-errors-query.js';
import { JobStatesQuery } from './methods/job-states-query.js';
import type { JobsApi } from './jobs-api.js';
import { JobsByUriQuery } from './methods/jobs-by-uri-query.js';
import { CachedJobs, type CachedJob } from './cache/cached-jobs.js';
import { UpstreamJobResolver } from './upstream/upstream-job-resolver.js';
import { retryWhileRedisUnavailable } from './cache/retry-while-redis-unavailable.js';
import { fromArmada } from './upstream/upstream-errors.js';
import { TerminalStateRecorder } from './cache/terminal-state-recorder.js';

export interface CachedJobsApiOptions {
  readonly access: Access;
  readonly lister: JobLister & JobDetailsLister;
  readonly provisionalJobs: ProvisionalJobSink;
  readonly armada: ArmadaJobs;
  /** Takes note of the poll of a job set, aside. */
  readonly noteInterest: (key: JobSetKey, tag?: string, caller?: Caller) => void;
  readonly terminalJobs: BoundedCache<string, CachedJob>;
  readonly redisFailed: (error: Error) => void;
  /** The most ids in one call. */
  readonly maxJobIds: number;
  /** How long a call is held while Redis is away, before Armada is asked instead. Milliseconds. */
  readonly redisHoldMs: number;
  /** Waits within the work on a call. May reject. */
  readonly pause: (ms: number) => Promise<void>;
  /** How long the stream may take to show a job that was learned. Milliseconds. */
  readonly provisionalGraceMs: number;
}

/** `api.Jobs` from the cache; Armada's own is asked for what only it can tell. */
export class CachedJobsApi implements JobsApi {
  readonly resolver: UpstreamJobResolver;
  private readonly states: JobStatesQuery;
  private readonly errors: JobErrorsQuery;
  private readonly details: JobDetailsQuery;
  private readonly withUri: JobsByUriQuery;

  constructor(private readonly options: CachedJobsApiOptions) {
    const {
      lister,
      provisionalJobs: learner,
      armada,
      noteInterest,
      terminalJobs: endedJobs,
      redisFailed,
      provisionalGraceMs: learnedGraceMs,
    } = options;
    const known = new CachedJobs({ lister, noteInterest, terminalJobs: endedJobs });
    const lookUps = (this.resolver = new UpstreamJobResolver({
      armada,
      provisionalJobs: learner,
      noteInterest,
      redisFailed,
    }));
    const facts = new EnrichmentRecorder(learner, redisFailed);
    const ends = new TerminalStateRecorder(learner, redisFailed);
    this.states = new JobStatesQuery({
      cachedJobs: known,
      resolver: lookUps,
      armada,
      terminalStates: ends,
      provisionalGraceMs: learnedGraceMs,
    });
    this.errors = new JobErrorsQuery({ cachedJobs: known, resolver: lookUps, armada, enrichment: facts });
    this.details = new JobDetailsQuery({
      cachedJobs: known,
      resolver: lookUps,
      armada,
      enrichment: facts,
      terminalStates: ends,
      provisionalGraceMs: learnedGraceMs,
    });
    this.withUri = new JobsByUriQuery({
      lister,
      cachedJobs: known,
      armada,
      terminalStates: ends,
      noteInterest,
      provisionalGraceMs: learnedGraceMs,
    });
  }

  getJobStatus: JobsApi['getJobStatus'] = async (request, caller) => {
    const jobIds = this.asked('job_ids', request.jobIds);
    const rights = await this.options.access.toJobs(caller);
    const states = await this.held(
      caller,
      () => this.states.run(jobIds, rights),
      () => this.allowed(jobIds, rights, (ids) => this.options.armada.status(ids)),
    );
    return { jobStates: Object.fromEntries(states) };
  };

  getJobStatusUsingExternalJobUri: JobsApi['getJobStatusUsingExternalJobUri'] = async (request, caller) => {
    const { queue, jobset, externalJobUri } = request;
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
    const { access, armada } = this.options;
    if ((await access.toJobsOf(caller, queue)) === 'no-queue') throw unknownQueue(queue);
    const states = await this.held(
      caller,
      () => this.withUri.run(request, caller),
      () => armada.byExternalUri(request),
    );
    return { jobStates: Object.fromEntries(states) };
  };

  getJobErrors: JobsApi['getJobErrors'] = async (request, caller) => {
    const jobIds = this.asked('job_ids', request.jobIds);
    const rights = await this.options.access.toJobs(caller);
    const errors = await this.held(
      caller,
      () => this.errors.run(jobIds, rights),
      () => this.allowed(jobIds, rights, (ids) => this.options.armada.errors(ids)),
    );
    return { jobErrors: Object.fromEntries(errors) };
  };

  getJobDetails: JobsApi['getJobDetails'] = async (request, caller) => {
    const jobIds = this.asked('job_ids', request.jobIds);
    const expand = { spec: request.expandJobSpec, runs: request.expandJobRun };
    const rights = await this.options.access.toJobs(caller);
    const details = await this.held(
      caller,
      () => this.details.run(jobIds, expand, rights),
      () => this.allowed(jobIds, rights, (ids) => this.options.armada.details(ids, expand)),
    );
    return { jobDetails: Object.fromEntries(details) };
  };

  /** Runs of jobs that are not for this caller are left out, as those that do not exist are. */
  getJobRunDetails: JobsApi['getJobRunDetails'] = async (request, caller) => {
    const runIds = this.asked('run_ids', request.runIds);
    const rights = await this.options.access.toJobs(caller);
    const runs = [...(await fromArmada(this.options.armada.runDetails(runIds)))];
    if (!rights.isRestricted) return { jobRunDetails: Object.fromEntries(runs) };
    const queues = await this.resolver.queuesOf([...new Set(runs.map(([, { jobId }]) => jobId))]);
    const allowed = await rights.allowedQueues(new Set(queues.values()));
    const told = runs.filter(([, { jobId }]) => {
      const queue = queues.get(jobId);
      return queue !== undefined && allowed.has(queue);
    });
    return { jobRunDetails: Object.fromEntries(told) };
  };

  getActiveQueues: JobsApi['getActiveQueues'] = async (_request, caller) => {
    const rights = await this.options.access.toQueueNames(caller);
    const all = await fromArmada(this.options.armada.activeQueues());
    if (!rights.isRestricted) return all;
    const pools = Object.entries(all.activeQueuesByPool);
    const allowed = await rights.allowedQueues(new Set(pools.flatMap(([, { queues }]) => queues)));
    const theirs = pools.map(
      ([pool, { queues }]) => [pool, queues.filter((queue) => allowed.has(queue))] as const,
    );
    const some = theirs.filter(([, queues]) => queues.length > 0);
    return { activeQueuesByPool: Object.fromEntries(some.map(([pool, queues]) => [pool, { queues }])) };
  };

  private asked(field: string, ids: readonly string[]): string[] {
    return requestedIds(field, ids, this.options.maxJobIds);
  }

  /** What Armada says of jobs, once it is known that they are for this caller. */
  private async allowed<T>(
    jobIds: readonly string[],
    rights: JobRights,
    ask: (jobIds: readonly string[]) => Promise<T>,
  ): Promise<T> {
    if (rights.isRestricted) await this.resolver.resolve(jobIds, rights);
    return ask(jobIds);
  }

  private held<T>(caller: Caller, work: () => Promise<T>, armada: () => Promise<T>): Promise<T> {
    const { redisHoldMs: holdMs, redisFailed, pause } = this.options;
    return retryWhileRedisUnavailable(caller, { holdMs, redisFailed, pause }, work, () =>
      fromArmada(armada(), 'Redis does not answer, and neither does Armada'),
    );
  }
}

/** An empty answer would have Airflow submit the job a second time, and the queue may be there a moment later. */
function unknownQueue(queue: string): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    `Armada does not know queue ${JSON.stringify(queue)}, which may have been created a moment ago; try again`,
  );
}
