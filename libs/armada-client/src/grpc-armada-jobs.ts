import {
  JobsService,
  type GetActiveQueuesResponse,
  type JobDetails,
  type JobStatusUsingExternalJobUriRequest,
} from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import type { ServiceError } from '@grpc/grpc-js';
import { ArmadaJobsError, type ArmadaJobs } from './armada-jobs.js';
import { BatchedLookup } from './batched-lookup.js';
import { CallGate } from './call-gate.js';
import type { ChannelPool } from './channel-pool.js';
import { lookupErrorOf } from './lookup-error.js';
import { callUnary, type UnaryMethod } from './unary-call.js';

/** Armada answers in tens of milliseconds: what takes this long is a database in trouble. Milliseconds. */
const DEADLINE_MS = 5_000;
/** Enough to use the default rate while an answer takes 200 ms, and few for a server whose answers take longer. */
const CALLS_AT_ONCE = 4;
/** Armada's own default for the ids of one request. */
const LARGEST_BATCH = 500;
/** Twenty full batches: a second's calls at the default rate. */
const MOST_WAITING_IDS = 10_000;
/** Of methods that are asked one question a call: ten seconds' calls at the default rate. */
const MOST_WAITING_QUESTIONS = 200;

/** Armada's ids are ULIDs and UUIDs. One that no Armada can have is not sent: it could spoil the call for all others. */
const CAN_BE_AN_ID = /^[\x21-\x7e]{1,64}$/;
/** PostgreSQL, where Armada looks, holds no such text and fails the call. */
const NUL = '\0';

/** {@link ArmadaJobs} over gRPC. The methods share one gate; each has questions of its own that wait there. */
export function grpcArmadaJobs(
  pool: ChannelPool,
  callsPerSecond: number,
): ArmadaJobs & {
  /** What waits for its call is answered with an error. */
  close(): void;
} {
  const gate = new CallGate(callsPerSecond, CALLS_AT_ONCE);

  async function call<Q, A>(method: UnaryMethod<Q, A>, request: Q, asked: number): Promise<A> {
    try {
      return await callUnary(pool, method, request, DEADLINE_MS);
    } catch (error) {
      throw lookupErrorOf(error as ServiceError, asked);
    }
  }

  function byId<Q, A, V>(
    method: UnaryMethod<Q, A>,
    requestFor: (ids: string[]) => Q,
    answersIn: (answer: A) => Readonly<Record<string, V>>,
  ): (ids: readonly string[]) => Promise<ReadonlyMap<string, V>> {
    const lookup = new BatchedLookup<V>({
      call: async (ids) =>
        new Map(Object.entries(answersIn(await call(method, requestFor([...ids]), ids.length)))),
      gate,
      maxBatchSize: LARGEST_BATCH,
      maxWaiting: MOST_WAITING_IDS,
    });
    return (ids) => lookup.lookUp(ids.filter((id) => CAN_BE_AN_ID.test(id)));
  }

  function oneACall<V>(answer: (question: string) => Promise<V>): (question: string) => Promise<V> {
    const lookup = new BatchedLookup<V>({
      call: async ([question = '']) => new Map([[question, await answer(question)]]),
      gate,
      maxBatchSize: 1,
      maxWaiting: MOST_WAITING_QUESTIONS,
    });
    return async (question) => {
      const value = (await lookup.lookUp([question])).get(question);
      if (value === undefined) throw new ArmadaJobsError('unavailable', 'Armada sent no response');
      return value;
    };
  }

  const states = byId(
    JobsService.getJobStatus,
    (jobIds) => ({ jobIds }),
    ({ jobStates }) => jobStates,
  );
  const errors = byId(
    JobsService.getJobErrors,
    (jobIds) => ({ jobIds }),
    ({ jobErrors }) => jobErrors,
  );
  const runDetails = byId(
    JobsService.getJobRunDetails,
    (runIds) => ({ runIds }),
    ({ jobRunDetails }) => jobRunDetails,
  );
  const detailsWith = (spec: boolean, runs: boolean) =>
    byId(
      JobsService.getJobDetails,
      (jobIds) => ({ jobIds, expandJobSpec: spec, expandJobRun: runs }),
      ({ jobDetails }): Readonly<Record<string, JobDetails>> => jobDetails,
    );
  const details = {
    withNothing: detailsWith(false, false),
    withSpec: detailsWith(true, false),
    withRuns: detailsWith(false, true),
    withBoth: detailsWith(true, true),
  };
  const byExternalUri = oneACall(async (question) => {
    const request = JSON.parse(question) as JobStatusUsingExternalJobUriRequest;
    const { jobStates } = await call(JobsService.getJobStatusUsingExternalJobUri, request, 1);
    return new Map(Object.entries(jobStates));
  });
  const activeQueues = oneACall((): Promise<GetActiveQueuesResponse> =>
    call(JobsService.getActiveQueues, {}, 1),
  );

  return {
    status: async (jobIds) => {
      const found = await states(jobIds);
      const stateOf = (jobId: string): JobState => {
        const state = found.get(jobId);
        if (state !== undefined) return state;
        if (!CAN_BE_AN_ID.test(jobId)) return JobState.UNKNOWN;
        throw new ArmadaJobsError('unavailable', `Armada's response lacks the state of ${jobId}`);
      };
      return new Map(jobIds.map((jobId) => [jobId, stateOf(jobId)]));
    },
    details: (jobIds, { spec, runs }) => {
      if (spec) return (runs ? details.withBoth : details.withSpec)(jobIds);
      return (runs ? details.withRuns : details.withNothing)(jobIds);
    },
    errors,
    byExternalUri: async ({ queue, jobset, externalJobUri }) => {
      if ([queue, jobset, externalJobUri].some((text) => text.includes(NUL))) return new Map();
      return byExternalUri(JSON.stringify({ queue, jobset, externalJobUri }));
    },
    runDetails,
    activeQueues: () => activeQueues(''),
    close: () => gate.close(),
  };
}
