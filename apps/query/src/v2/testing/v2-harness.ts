import type {
  BatchGetJobsRequest,
  JobRef,
  JobResult,
  ListJobsRequest,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import type { Verdict } from '@ajs/auth';
import { Cursor, JobId, toMs, type JobRecord, type JobSetKey } from '@ajs/job-state';
import type { JobSetWriter, SubscriptionReport } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { monotonicNow, systemClock, type Clock } from '@ajs/platform';
import { interestShard, jobSetTag } from '@ajs/redis-keys';
import { setTimeout as sleep } from 'node:timers/promises';
import { Access } from '../../access/access.js';
import type { Caller } from '../../caller.js';
import { FakeArmadaJobs } from '../../jobs-api/testing/fake-armada-jobs.js';
import type { RpcError } from '../../rpc-error.js';
import { testCaller } from '../../testing/test-caller.js';
import { ReportRecorder } from '../../upstream/report-recorder.js';
import { ReportedJobs } from '../../upstream/reported-jobs.js';
import { UpstreamJobResolver } from '../../upstream/upstream-job-resolver.js';
import { JobSetFeeds } from '../../changes/job-set-feeds.js';
import { AbsentJobs } from '../absent-jobs.js';
import { JobResultsQuery } from '../job-results-query.js';
import { JobSetNames } from '../job-set-names.js';
import { JobSetQueries } from '../job-set-queries.js';
import { JobSetWatcher } from '../job-set-watcher.js';
import { JobWaiter } from '../job-waiter.js';
import { JobsWatcher } from '../jobs-watcher.js';
import { KnownJobs } from '../known-jobs.js';
import { OpenStreams, type OpenMethod } from '../open-streams.js';
import { PermissionChecks } from '../permission-checks.js';
import { JobSetReader, type JobSetReaderOptions } from '../job-set-reader.js';
import { EncodedBatchGetJobs, v2Api, type V2Api } from '../v2-api.js';

/** The job set of the harness' writer. */
export const KEY = { queue: 'q', jobSetId: 's' };

/** Names a job of {@link KEY}, unless told otherwise. */
export const refOf = (jobId: string, { queue, jobSetId }: JobSetKey = KEY): JobRef => ({
  queue,
  jobSet: jobSetId,
  jobId,
});

/** Names a job by its id alone. */
export const byId = (jobId: string): JobRef => ({ queue: '', jobSet: '', jobId });

/** The methods of `jobservice.v2` over a store in memory and a fake Armada. */
export class V2Harness {
  readonly store = new MemoryJobStore();
  readonly armada = new FakeArmadaJobs();
  readonly interest: JobSetKey[] = [];
  readonly unreadable: string[] = [];
  readonly readRequests: JobSetKey[] = [];
  /** Called for each read request, as an owner would hear it. */
  onReadRequest: () => unknown = () => undefined;
  /** What callers may do with a queue. */
  verdictOn: (queue: string) => Verdict = () => 'yes';
  refusal: string | undefined;
  /** The jobs of each read. */
  readonly reads: (readonly JobId[])[] = [];
  readonly api: V2Api;
  /** As over gRPC. */
  readonly batchGetJobs: EncodedBatchGetJobs;
  readonly jobs: JobsWatcher;
  readonly jobSets: JobSetWatcher;
  readonly streams: OpenStreams;
  /** Calls that are open now, by their method. */
  readonly open: Record<OpenMethod, number> = { waitForJobs: 0, watchJobs: 0, watchJobSet: 0 };
  private readonly feeds: JobSetFeeds;
  private writer: JobSetWriter | undefined;

  /** @param clock of the look-ups of absent jobs */
  constructor(overrides: Partial<JobSetReaderOptions> = {}, clock: Clock = systemClock) {
    const { store, armada } = this;
    const noteInterest = (key: JobSetKey): unknown => this.interest.push(key);
    const recorder = new ReportRecorder({ sink: store, noteInterest, redisFailed: () => undefined });
    const resolver = new UpstreamJobResolver({ recorder, now: () => toMs(clock.monotonic()) });
    const access = new Access({
      authorizer: {
        identityOf: () => undefined,
        authenticate: () => undefined,
        mayWatch: (_, queue) => this.verdictOn(queue),
      },
      jobsNeedWatch: false,
      queueNamesNeedWatch: false,
      waiting: (_, verdict) => verdict(),
    });
    const reader = new JobSetReader({
      lister: {
        locate: (jobIds) => store.locate(jobIds),
        readDetails: (key, jobIds, seen) => {
          this.reads.push(jobIds);
          return store.readDetails(key, jobIds, seen);
        },
      },
      noteInterest,
      refusalOf: () => this.refusal,
      requestRead: (key) => {
        this.readRequests.push(key);
        this.onReadRequest();
      },
      reportedJobs: new ReportedJobs({
        armada: { for: () => armada },
        resolver,
        sink: store,
        redisFailed: () => undefined,
      }),
      recorder,
      unreadableRecord: (jobId) => this.unreadable.push(jobId),
      waitMs: 0,
      notFoundGraceMs: 30_000,
      provisionalGraceMs: 30_000,
      pause: (_, ms) => sleep(ms),
      waiting: (_, work) => work(),
      ...overrides,
    });
    const knownJobs = new KnownJobs(1_000);
    const results = new JobResultsQuery({
      access,
      lister: store,
      reader,
      knownJobs,
      resolver,
      armadaFor: () => armada,
      notFoundGraceMs: 30_000,
    });
    const jobSets = new JobSetQueries({
      access,
      jobSets: store,
      names: new JobSetNames((shard) => Promise.resolve(this.tagsIn(shard))),
      noteInterest,
      waitMs: overrides.waitMs ?? 0,
      pause: (_, ms) => sleep(ms),
    });
    this.streams = new OpenStreams({
      checks: new PermissionChecks(access, 20),
      admission: { setAside: () => {}, takeBack: () => {} },
      maxWaits: 8,
      maxWatches: 8,
      maxJobs: 2_000,
      refused: () => undefined,
      onCount: (method, open) => (this.open[method] = open),
    });
    this.feeds = new JobSetFeeds({
      changes: store,
      lister: store,
      noteInterest,
      refusalOf: () => this.refusal,
      onCount: () => undefined,
      onMissed: () => undefined,
      onError: () => undefined,
    });
    const { feeds, streams } = this;
    const absent = new AbsentJobs(
      { results, admission: { run: (_, work) => work() }, failed: (error) => error as RpcError },
      clock,
    );
    this.batchGetJobs = new EncodedBatchGetJobs(results, knownJobs);
    this.api = v2Api(
      this.batchGetJobs,
      jobSets,
      new JobWaiter({ results, feeds, streams, absent, maxWaitMs: 600_000 }),
    );
    this.jobs = new JobsWatcher({ results, feeds, streams, absent });
    this.jobSets = new JobSetWatcher({ access, feeds, changes: store, streams, noteInterest });
  }

  close(): void {
    this.streams.stop();
    this.feeds.close();
  }

  /** Writes records as the stream of the job set would. */
  async write(
    records: Record<string, JobRecord>,
    subscription: SubscriptionReport = { state: 'live', reason: '', syncedAt: monotonicNow() },
  ): Promise<void> {
    this.writer ??= await this.store.open(KEY);
    const byJobId = Object.entries(records).map(([jobId, record]) => [JobId(jobId), record] as const);
    await this.writer.write({ cursor: Cursor('1:0:0:1'), records: new Map(byJobId), subscription });
  }

  /** Loses the job set, as Redis may: the next write begins it anew. */
  async loseJobSet(): Promise<void> {
    await this.store.remove(KEY, 0);
    this.writer = undefined;
  }

  async get(
    refs: readonly JobRef[],
    request: Partial<BatchGetJobsRequest> = {},
    caller: Caller = testCaller(),
  ): Promise<JobResult[]> {
    const { results } = await this.api.batchGetJobs(
      { refs: [...refs], maxAge: undefined, ...request },
      caller,
    );
    return results;
  }

  listJobs(request: Partial<ListJobsRequest> = {}): ReturnType<V2Api['listJobs']> {
    const defaults = { queue: 'q', jobSet: 's', states: [], pageSize: 0, pageToken: '' };
    return this.api.listJobs({ ...defaults, ...request }, testCaller());
  }

  private tagsIn(shard: number): string[] {
    return this.interest.filter((key) => interestShard(key) === shard).map(jobSetTag);
  }
}
