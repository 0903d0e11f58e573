import type { AddressInfo } from 'node:net';
import {
  JobDetails,
  type JobDetailsResponse,
  type JobErrorsResponse,
  type JobRunDetails,
  type JobRunDetailsResponse,
} from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { loadSettings } from '@ajs/config';
import { QueryMetrics, createLog } from '@ajs/observability';
import { BoundedHttpAdapter, ProcessModule, type TIMEOUTS } from '@ajs/runtime';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { status } from '@grpc/grpc-js';
import type { JobsApi } from '../../jobs-api/jobs-api.js';
import { RpcError } from '../../rpc-error.js';
import { Admission } from '../../load/admission.js';
import { JobsApiModule } from '../../jobs-api/jobs-api.module.js';
import type { JobsServiceOptions } from '../../jobs-api/jobs-service.js';
import { JOBS_CALLS, V2_CALLS } from '../../tokens.js';
import type { V2Api } from '../../v2/v2-api.js';
import type { V2Watchers } from '../../v2/v2-streams.js';
import { v2Failed } from '../../v2/v2-service.js';
import { V2Module } from '../../v2/v2.module.js';
import { HttpApiModule } from '../http-api.module.js';

/** A job that tests request. */
export interface KnownJob extends JobDetails {
  readonly externalJobUri?: string;
  readonly error?: string;
}

/** `api.Jobs` over jobs in memory. */
export class JobsInMemory implements JobsApi {
  private readonly jobs = new Map<string, KnownJob>();

  add(job: Partial<KnownJob> & Pick<KnownJob, 'jobId'>): void {
    this.jobs.set(job.jobId, { ...JobDetails.decode(Buffer.alloc(0)), ...job });
  }

  getJobStatus: JobsApi['getJobStatus'] = ({ jobIds }) =>
    Promise.resolve({
      jobIds,
      states: jobIds.map((jobId) => this.jobs.get(jobId)?.state ?? JobState.UNKNOWN),
    });

  getJobStatusUsingExternalJobUri: JobsApi['getJobStatusUsingExternalJobUri'] = (request) => {
    const { queue, jobset, externalJobUri } = request;
    if (externalJobUri === '') {
      return Promise.reject(new RpcError(status.INVALID_ARGUMENT, 'external_job_uri is empty'));
    }
    const found = [...this.jobs.values()].filter(
      (job) => job.queue === queue && job.jobset === jobset && job.externalJobUri === externalJobUri,
    );
    return Promise.resolve({
      jobStates: Object.fromEntries(found.map(({ jobId, state }) => [jobId, state])),
    });
  };

  getJobDetails: JobsApi['getJobDetails'] = ({ jobIds, expandJobSpec, expandJobRun }) =>
    Promise.resolve<JobDetailsResponse>({
      jobDetails: this.byId(jobIds, (job) => ({
        ...job,
        jobSpec: expandJobSpec ? job.jobSpec : undefined,
        jobRuns: expandJobRun ? job.jobRuns : [],
      })),
    });

  getJobErrors: JobsApi['getJobErrors'] = ({ jobIds }) =>
    Promise.resolve<JobErrorsResponse>({ jobErrors: this.byId(jobIds, ({ error }) => error ?? '') });

  getJobRunDetails: JobsApi['getJobRunDetails'] = ({ runIds }) => {
    const runs = [...this.jobs.values()].flatMap(({ jobRuns }) => jobRuns);
    const asked = runs.filter(({ runId }) => runIds.includes(runId));
    return Promise.resolve<JobRunDetailsResponse>({
      jobRunDetails: Object.fromEntries(asked.map((run): [string, JobRunDetails] => [run.runId, run])),
    });
  };

  getActiveQueues: JobsApi['getActiveQueues'] = () => {
    const queues = [...new Set([...this.jobs.values()].map(({ queue }) => queue))];
    return Promise.resolve({ activeQueuesByPool: queues.length === 0 ? {} : { default: { queues } } });
  };

  private byId<T>(jobIds: readonly string[], tell: (job: KnownJob) => T): Record<string, T> {
    const known = jobIds.map((jobId) => this.jobs.get(jobId)).filter((job) => job !== undefined);
    return Object.fromEntries(known.map((job) => [job.jobId, tell(job)]));
  }
}

@Module({})
class GivenJobsModule {}

@Module({})
class GivenV2Module {}

export interface ServedOptions {
  readonly authenticate?: JobsServiceOptions['access']['authenticate'];
  /** With limits that no test reaches, unless it is given. */
  readonly admission?: Admission;
  /** Settings. */
  readonly env?: Record<string, string>;
  readonly v2?: V2Api;
  readonly watchers?: V2Watchers;
  readonly timeouts?: typeof TIMEOUTS;
}

const ROOMY = new Admission({ working: 1_000, waiting: 1_000 }, () => undefined);

/** The HTTP API over `api.Jobs`, on a port of its own. */
export class ServedJobs {
  private constructor(
    private readonly app: NestExpressApplication,
    /** Internal errors. */
    readonly failures: readonly Error[],
    /** Methods and codes of the calls that were answered. */
    readonly answers: readonly string[],
  ) {}

  static async start(
    jobs: JobsApi,
    {
      authenticate = () => undefined,
      admission = ROOMY,
      env = {},
      v2,
      watchers,
      timeouts,
    }: ServedOptions = {},
  ): Promise<ServedJobs> {
    const failures: Error[] = [];
    const answers: string[] = [];
    const calls: JobsServiceOptions = {
      jobs,
      admission,
      access: { keyOf: ({ address }) => address(), authenticate },
      maxJobIds: 1_000,
      answered: (method, code) => answers.push(`${method} ${status[code]}`),
      internalError: (error) => failures.push(error),
    };
    const v2Calls = {
      api: v2,
      watchers,
      failed: v2Failed({ redisFailed: () => undefined, internalError: calls.internalError }),
      answered: calls.answered,
    };
    const context = {
      settings: loadSettings({ argv: [], env }),
      log: createLog('query', 'silent'),
      metrics: new QueryMetrics(),
    };
    const module = await Test.createTestingModule({ imports: [ProcessModule.of(context), HttpApiModule] })
      .overrideModule(JobsApiModule)
      .useModule({
        module: GivenJobsModule,
        providers: [{ provide: JOBS_CALLS, useValue: calls }],
        exports: [JOBS_CALLS],
      })
      .overrideModule(V2Module)
      .useModule({
        module: GivenV2Module,
        providers: [{ provide: V2_CALLS, useValue: v2Calls }],
        exports: [V2_CALLS],
      })
      .compile();
    const adapter = new BoundedHttpAdapter({
      maxConnections: 1_000,
      onRejected: () => undefined,
      onPipelined: () => undefined,
      ...(timeouts && { timeouts }),
    });
    const app = module.createNestApplication<NestExpressApplication>(adapter, {
      logger: false,
      bodyParser: false,
    });
    await app.listen(0, '127.0.0.1');
    return new ServedJobs(app, failures, answers);
  }

  get port(): number {
    return (this.app.getHttpServer().address() as AddressInfo).port;
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, init);
  }

  /** Posts `body`, as JSON unless it is a text already. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}
