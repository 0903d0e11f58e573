import type { JobDetails } from '@ajs/contracts/api/job';
import type { JobState } from '@ajs/contracts/api/submit';
import { Cursor, JobId, toMs, ArmadaTime, type JobRecord, type JobSetKey } from '@ajs/job-state';
import type { JobSetWriter, ProvisionalJob, ProvisionalJobSink, SubscriptionReport } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { toJobStatusResponse } from '@ajs/wire-mapping';
import { LRUCache } from 'lru-cache';
import { setTimeout as sleep } from 'node:timers/promises';
import { Access } from '../../access/access.js';
import { testCaller } from '../../testing/test-caller.js';
import { ReportRecorder } from '../../upstream/report-recorder.js';
import { UpstreamJobResolver } from '../../upstream/upstream-job-resolver.js';
import { CachedJobsApi, type CachedJobsApiOptions } from '../cached-jobs-api.js';
import { FakeArmadaJobs } from './fake-armada-jobs.js';

/** The job set of the harness' writer. */
export const KEY = { queue: 'q', jobSetId: 's' };
/** When the harness' clock starts, and the records of {@link jobRecord} changed. Milliseconds since the epoch. */
export const START = ArmadaTime(1_795_493_148_000);

const ANYONE = new Access({
  authorizer: { identityOf: () => undefined, authenticate: () => undefined, mayWatch: () => 'yes' },
  jobsNeedWatch: false,
  queueNamesNeedWatch: false,
  waiting: (_, found) => found(),
});

/** As the stream shows a job. */
export function jobRecord(state: JobRecord['state'], more: Partial<JobRecord> = {}): JobRecord {
  const lastEvent = { ms: 1, sequence: 0, index: 0, last: true };
  return { state, runNumber: 1, changedAt: START, lastEvent, ...more };
}

/** {@link CachedJobsApi} over a store in memory and a fake Armada. Redis and Armada can be made to fail. */
export class JobsApiHarness {
  now = toMs(START);
  readonly store = new MemoryJobStore(() => this.now);
  readonly armada = new FakeArmadaJobs();
  /** The job sets that were noted as polled. */
  readonly interest: JobSetKey[] = [];
  readonly redisFailures: Error[] = [];
  /** The ids of the jobs whose records were reported as unreadable. */
  readonly unreadable: string[] = [];
  /** What every read of Redis rejects with. */
  redisFailure: Error | undefined;
  /** What every report to Redis rejects with. */
  redisWriteFailure: Error | undefined;
  redisReads = 0;
  readonly api: CachedJobsApi;
  private writer: JobSetWriter | undefined;

  /** @param sink Where what Armada reports is written, if not to {@link store} */
  constructor(
    private readonly overrides: Partial<CachedJobsApiOptions> = {},
    private readonly sink?: ProvisionalJobSink,
  ) {
    this.api = this.replica();
  }

  /** The API of another replica: it shares nothing but Redis and Armada. */
  replica(): CachedJobsApi {
    const read = <T>(work: () => Promise<T>): Promise<T> => {
      this.redisReads++;
      return this.redisFailure === undefined ? work() : Promise.reject(this.redisFailure);
    };
    const { store, sink = store } = this;
    const options: Omit<CachedJobsApiOptions, 'resolver' | 'recorder'> = {
      access: ANYONE,
      lister: {
        read: (key, ids) => read(() => store.read(key, ids)),
        locate: (ids) => read(() => store.locate(ids)),
        readDetails: (key, ids) => read(() => store.readDetails(key, ids)),
        readUri: (key, uri) => read(() => store.readUri(key, uri)),
      },
      enrichment: sink,
      armadaFor: () => this.armada,
      noteInterest: (key) => this.interest.push(key),
      terminalJobs: new LRUCache({ max: 10 }),
      redisFailed: (error) => this.redisFailures.push(error),
      unreadableRecord: (jobId) => this.unreadable.push(jobId),
      maxJobIds: 3,
      redisRetryTimeoutMs: 0,
      pause: (_, ms) => sleep(ms),
      provisionalGraceMs: 30_000,
      ...this.overrides,
    };
    const recorder = new ReportRecorder({
      sink: {
        report: (key, reports) => {
          if (this.redisWriteFailure !== undefined) return Promise.reject(this.redisWriteFailure);
          return sink.report(key, reports);
        },
      },
      noteInterest: options.noteInterest,
      redisFailed: options.redisFailed,
    });
    const resolver = new UpstreamJobResolver({ recorder, now: () => this.now });
    return new CachedJobsApi({ ...options, recorder, resolver });
  }

  /** Writes records of {@link KEY} as its stream would. */
  async write(
    records: Record<string, JobRecord>,
    subscription: SubscriptionReport = { state: 'live', reason: '' },
  ): Promise<void> {
    this.writer ??= await this.store.open(KEY);
    const byId = Object.entries(records).map(([jobId, record]) => [JobId(jobId), record] as const);
    await this.writer.write({ cursor: Cursor('1:0:0:1'), records: new Map(byId), subscription });
  }

  /** Records job `j` as submitted through this service, unless told otherwise. */
  async addProvisional(job: Partial<ProvisionalJob> = {}): Promise<void> {
    await this.store.addProvisionalJobs(KEY, [
      { jobId: JobId('j'), state: 'SUBMITTED', changedAt: ArmadaTime(this.now), ...job },
    ]);
    await this.writer?.reload();
  }

  async states(...jobIds: string[]): Promise<Record<string, JobState>> {
    return toJobStatusResponse(await this.api.getJobStatus({ jobIds }, testCaller())).jobStates;
  }

  async errors(...jobIds: string[]): Promise<Record<string, string>> {
    return (await this.api.getJobErrors({ jobIds }, testCaller())).jobErrors;
  }

  async details(
    jobId: string,
    { spec = false, runs = true }: { readonly spec?: boolean; readonly runs?: boolean } = {},
  ): Promise<JobDetails | undefined> {
    const request = { jobIds: [jobId], expandJobSpec: spec, expandJobRun: runs };
    return (await this.api.getJobDetails(request, testCaller())).jobDetails[jobId];
  }

  async byUri(externalJobUri: string): Promise<Record<string, JobState>> {
    const request = { queue: KEY.queue, jobset: KEY.jobSetId, externalJobUri };
    return (await this.api.getJobStatusUsingExternalJobUri(request, testCaller())).jobStates;
  }
}
