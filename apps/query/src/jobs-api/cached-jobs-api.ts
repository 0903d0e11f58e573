import type { ArmadaJobs } from '@ajs/armada-client';
import type { JobSetKey } from '@ajs/job-state';
import type { BoundedCache, JobDetailsLister, JobLearner, JobLister } from '@ajs/job-store';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { problemOfName } from '../name-check.js';
import { RpcError } from '../rpc-error.js';
import { askedIds } from './asked-job-ids.js';
import { FactsKeeper } from './facts-keeper.js';
import { JobDetailsQuery } from './job-details.js';
import { JobErrors } from './job-errors.js';
import { JobStates } from './job-states.js';
import type { JobsApi } from './jobs-api.js';
import { JobsWithUri } from './jobs-with-uri.js';
import { KnownJobs, type KnownJob } from './known-jobs.js';
import { LookUps } from './look-ups.js';
import { holdForRedis } from './redis-away.js';
import { fromArmada } from './from-armada.js';

export interface CachedJobsApiOptions {
  readonly lister: JobLister & JobDetailsLister;
  readonly learner: JobLearner;
  readonly armada: ArmadaJobs;
  /** Takes note of the poll of a job set, aside. */
  readonly noteInterest: (key: JobSetKey, tag?: string) => void;
  readonly endedJobs: BoundedCache<string, KnownJob>;
  readonly redisFailed: (error: Error) => void;
  /** The most ids in one call. */
  readonly maxJobIds: number;
  /** How long a call is held while Redis is away, before Armada is asked instead. Milliseconds. */
  readonly redisHoldMs: number;
  /** How long the stream may take to show a job that was learned. Milliseconds. */
  readonly learnedGraceMs: number;
}

/** `api.Jobs` from the cache; Armada's own is asked for what only it can tell. */
export class CachedJobsApi implements JobsApi {
  readonly lookUps: LookUps;
  private readonly states: JobStates;
  private readonly errors: JobErrors;
  private readonly details: JobDetailsQuery;
  private readonly withUri: JobsWithUri;

  constructor(private readonly options: CachedJobsApiOptions) {
    const { lister, learner, armada, noteInterest, endedJobs, redisFailed, learnedGraceMs } = options;
    const known = new KnownJobs({ lister, noteInterest, endedJobs });
    const lookUps = (this.lookUps = new LookUps({ armada, learner, noteInterest, redisFailed }));
    const facts = new FactsKeeper(learner, redisFailed);
    this.states = new JobStates({ known, lookUps, armada, learnedGraceMs });
    this.errors = new JobErrors({ known, armada, facts });
    this.details = new JobDetailsQuery({ known, lookUps, armada, facts, learnedGraceMs });
    this.withUri = new JobsWithUri({ lister, known, armada, noteInterest, learnedGraceMs });
  }

  getJobStatus: JobsApi['getJobStatus'] = async (request, caller) => {
    const jobIds = this.asked('job_ids', request.jobIds);
    const { armada } = this.options;
    const states = await this.held(
      caller,
      () => this.states.of(jobIds),
      () => armada.status(jobIds),
    );
    return { jobStates: Object.fromEntries(states) };
  };

  getJobStatusUsingExternalJobUri: JobsApi['getJobStatusUsingExternalJobUri'] = async (request, caller) => {
    for (const [field, value] of [
      ['queue', request.queue],
      ['jobset', request.jobset],
    ] as const) {
      const problem = problemOfName(value);
      if (problem !== undefined) throw new RpcError(status.INVALID_ARGUMENT, `${field} ${problem}`);
    }
    if (request.externalJobUri === '') {
      throw new RpcError(status.INVALID_ARGUMENT, 'external_job_uri is empty');
    }
    const states = await this.held(
      caller,
      () => this.withUri.of(request),
      () => this.options.armada.byExternalUri(request),
    );
    return { jobStates: Object.fromEntries(states) };
  };

  getJobErrors: JobsApi['getJobErrors'] = async (request, caller) => {
    const jobIds = this.asked('job_ids', request.jobIds);
    const errors = await this.held(
      caller,
      () => this.errors.of(jobIds),
      () => this.options.armada.errors(jobIds),
    );
    return { jobErrors: Object.fromEntries(errors) };
  };

  getJobDetails: JobsApi['getJobDetails'] = async (request, caller) => {
    const jobIds = this.asked('job_ids', request.jobIds);
    const expand = { spec: request.expandJobSpec, runs: request.expandJobRun };
    const details = await this.held(
      caller,
      () => this.details.of(jobIds, expand),
      () => this.options.armada.details(jobIds, expand),
    );
    return { jobDetails: Object.fromEntries(details) };
  };

  getJobRunDetails: JobsApi['getJobRunDetails'] = async (request) => {
    const runIds = this.asked('run_ids', request.runIds);
    const runs = await fromArmada(this.options.armada.runDetails(runIds));
    return { jobRunDetails: Object.fromEntries(runs) };
  };

  getActiveQueues: JobsApi['getActiveQueues'] = () => fromArmada(this.options.armada.activeQueues());

  private asked(field: string, ids: readonly string[]): string[] {
    return askedIds(field, ids, this.options.maxJobIds);
  }

  private held<T>(caller: Caller, work: () => Promise<T>, armada: () => Promise<T>): Promise<T> {
    const { redisHoldMs: holdMs, redisFailed } = this.options;
    return holdForRedis(caller, { holdMs, redisFailed }, work, () =>
      fromArmada(armada(), 'Redis does not answer, and neither does Armada'),
    );
  }
}
