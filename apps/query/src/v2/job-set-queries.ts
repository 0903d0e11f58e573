import type {
  GetJobSetRequest,
  GetJobSetResponse,
  JobSet,
  ListJobSetsRequest,
  ListJobSetsResponse,
  ListJobsRequest,
  ListJobsResponse,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { addMs, msBetween, type JobSetKey } from '@ajs/job-state';
import { JobPosition, isPosition, type JobSetLister, type JobSetSummary } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { Generation, jobSetTag } from '@ajs/redis-keys';
import { optionalTimestamp, toFreshness, toV2Job, toV2JobState } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import { callerGone, msUntilAnswer, type Caller } from '../caller.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { fromRedis } from '../store/redis-read.js';
import { V2Error, invalidRequest } from './error-info.js';
import type { JobSetNames } from './job-set-names.js';
import { PageTokens } from './page-token.js';
import { jobSetKeyOf, pageSizeOf, requestedStates } from './requests.js';

export interface JobSetQueriesOptions {
  readonly access: Pick<Access, 'toQueue' | 'toWatchedQueues'>;
  readonly jobSets: JobSetLister;
  readonly names: JobSetNames;
  readonly noteInterest: NoteInterest;
  /** How long a job set that was never synced is waited for. Milliseconds. */
  readonly waitMs: number;
  /** Waits within the work on a call. May reject. */
  readonly pause: (caller: Caller, ms: number) => Promise<void>;
}

const RETRY_MS = 50;

/** Whole job sets: how they stand, their jobs, and which there are. Every method rejects with an RpcError or RedisReadError. */
export class JobSetQueries {
  constructor(private readonly options: JobSetQueriesOptions) {}

  async getJobSet(request: GetJobSetRequest, caller: Caller): Promise<GetJobSetResponse> {
    const key = await this.requestedJobSet(request, caller);
    return { jobSet: toJobSet(key, await this.onceSynced(key, caller)) };
  }

  async listJobs(request: ListJobsRequest, caller: Caller): Promise<ListJobsResponse> {
    const states = requestedStates(request.states);
    const limit = pageSizeOf(request.pageSize);
    const tokens = new PageTokens(JSON.stringify(['jobs', request.queue, request.jobSet]));
    const after = tokens.parse(request.pageToken);
    if (after !== undefined && !isPosition(after[1])) throw invalidRequest('page_token names no job');
    const key = await this.requestedJobSet(request, caller);
    if (after === undefined) await this.onceSynced(key, caller);
    const page = await fromRedis(
      this.options.jobSets.listJobs(key, {
        ...(after !== undefined && { generation: Generation(after[0]), after: JobPosition(after[1]) }),
        ...(states !== undefined && { states }),
        limit,
      }),
    );
    if (page === undefined && after === undefined) {
      return { jobs: [], nextPageToken: '', freshness: undefined };
    }
    if (page === undefined || page === 'other-generation') throw tokenExpired();
    return {
      jobs: Array.from(page.jobs, ([jobId, { record, enrichment }]) =>
        toV2Job(jobId, key, record, enrichment),
      ),
      nextPageToken: page.next === undefined ? '' : tokens.format([page.generation, page.next]),
      freshness: toFreshness(page.subscription, page.cursor),
    };
  }

  /** No interest is noted: else nothing that is listed would ever be forgotten. */
  async listJobSets(request: ListJobSetsRequest, caller: Caller): Promise<ListJobSetsResponse> {
    const { queue } = request;
    const limit = pageSizeOf(request.pageSize);
    const tokens = new PageTokens(JSON.stringify(['job sets', queue]));
    const after = tokens.parse(request.pageToken);
    if (queue !== '') await this.toQueue(queue, caller);
    const allowedQueues = (queues: Iterable<string>) => this.options.access.toWatchedQueues(caller, queues);
    const { keys, next } = await this.options.names.list({ queue, limit, after, allowedQueues });
    const summaries = await fromRedis(this.options.jobSets.describe(keys));
    return {
      jobSets: keys.map((key, i) => toJobSet(key, summaries[i])),
      nextPageToken: next === undefined ? '' : tokens.format(next),
    };
  }

  private async requestedJobSet(
    request: { readonly queue: string; readonly jobSet: string },
    caller: Caller,
  ): Promise<JobSetKey> {
    const key = jobSetKeyOf(request);
    await this.toQueue(key.queue, caller);
    this.options.noteInterest(key, jobSetTag(key), caller);
    return key;
  }

  private async toQueue(queue: string, caller: Caller): Promise<void> {
    if ((await this.options.access.toQueue(caller, queue)) === 'yes') return;
    throw new V2Error(
      status.NOT_FOUND,
      'QUEUE_NOT_FOUND',
      `queue ${JSON.stringify(queue)} does not exist in Armada; if it was created a moment ago, retry after 10 s`,
    );
  }

  /** How the job set stands once it was synced, or when that has taken too long. */
  private async onceSynced(key: JobSetKey, caller: Caller): Promise<JobSetSummary | undefined> {
    const { jobSets, waitMs, pause } = this.options;
    const until = addMs(monotonicNow(), Math.min(waitMs, msUntilAnswer(caller)));
    for (;;) {
      const [summary] = await fromRedis(jobSets.describe([key]));
      const subscription = summary?.subscription;
      const isSettled = subscription?.syncedAt !== undefined || subscription?.state === 'denied';
      const left = msBetween(monotonicNow(), until);
      if (isSettled || left <= 0) return summary;
      await pause(caller, Math.min(RETRY_MS, left));
      if (caller.isGone()) throw callerGone(caller);
    }
  }
}

function toJobSet({ queue, jobSetId }: JobSetKey, summary: JobSetSummary | undefined): JobSet {
  return {
    queue,
    jobSet: jobSetId,
    counts: Array.from(summary?.counts ?? [], ([state, count]) => ({
      state: toV2JobState(state),
      count: `${count}`,
    })),
    freshness: summary && toFreshness(summary.subscription, summary.cursor),
    followed: summary?.isFollowed ?? false,
    owner: summary?.isFollowed === true ? (summary.owner ?? '') : '',
    firstSeenAt: optionalTimestamp(summary?.firstSeenAt),
    lastChangeAt: optionalTimestamp(summary?.lastChangeAt),
  };
}

function tokenExpired(): V2Error {
  return new V2Error(
    status.OUT_OF_RANGE,
    'PAGE_TOKEN_EXPIRED',
    'page_token is too old: the job set was read anew since; start again without a token',
  );
}
