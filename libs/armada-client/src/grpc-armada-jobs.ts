import { MAX_ID_BYTES, type JobId } from '@ajs/job-state';
import {
  JobsService,
  type GetActiveQueuesResponse,
  type JobDetails,
  type JobStatusUsingExternalJobUriRequest,
} from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import type { ServiceError } from '@grpc/grpc-js';
import { ArmadaJobsError, type ArmadaJobs, type Requester, type SharedArmadaJobs } from './armada-jobs.js';
import { BatchedLookup } from './batched-lookup.js';
import { CallGate } from './call-gate.js';
import type { ChannelPool } from './channel-pool.js';
import { lookupErrorOf } from './lookup-error.js';
import { callUnary, type UnaryMethod } from './unary-call.js';

/** Armada responds in tens of milliseconds: a call that takes this long has met an overloaded database. Milliseconds. */
const DEADLINE_MS = 5_000;
/** Enough for the default rate at 200 ms a call, and few for a server that takes longer. */
const MAX_CONCURRENT_CALLS = 4;
/** Armada's own default for the ids of one request. */
const MAX_BATCH_SIZE = 500;
/** Twenty full batches: a second's calls at the default rate. */
const MAX_WAITING_IDS = 10_000;
/** For methods with one query a call: ten seconds' calls at the default rate. */
const MAX_WAITING_QUERIES = 200;

/** Armada's ids are ULIDs and UUIDs. What cannot be one is not sent: it could fail the call for all others. */
const POSSIBLE_ID = new RegExp(`^[\\x21-\\x7e]{1,${MAX_ID_BYTES}}$`);
/** Armada's PostgreSQL stores no such text, and fails the call. */
const NUL = '\0';

const THIS_PROCESS: Requester = { key: 'this process', isGone: () => false };

/** {@link ArmadaJobs} over gRPC. The methods share one gate, where each queues its own batches. */
export function grpcArmadaJobs(
  pool: ChannelPool,
  callsPerSecond: number,
): SharedArmadaJobs & {
  /** Rejects all that waits for a call. */
  close(): void;
} {
  const gate = new CallGate(callsPerSecond, MAX_CONCURRENT_CALLS);

  async function call<Q, A>(method: UnaryMethod<Q, A>, request: Q, ids: number): Promise<A> {
    try {
      return await callUnary(pool, method, request, DEADLINE_MS);
    } catch (error) {
      throw lookupErrorOf(error as ServiceError, ids);
    }
  }

  function byId<Id extends string, Q, A, V>(
    method: UnaryMethod<Q, A>,
    requestFor: (ids: Id[]) => Q,
    valuesIn: (answer: A) => Readonly<Record<string, V>>,
  ): (ids: readonly Id[], requester: Requester) => Promise<ReadonlyMap<Id, V>> {
    const lookup = new BatchedLookup<Id, V>({
      call: async (ids) => entriesOf<Id, V>(valuesIn(await call(method, requestFor([...ids]), ids.length))),
      gate,
      maxBatchSize: MAX_BATCH_SIZE,
      maxWaiting: MAX_WAITING_IDS,
    });
    return (ids, requester) =>
      lookup.lookUp(
        ids.filter((id) => POSSIBLE_ID.test(id)),
        requester,
      );
  }

  function singly<V>(
    look: (query: string) => Promise<V>,
  ): (query: string, requester: Requester) => Promise<V> {
    const lookup = new BatchedLookup<string, V>({
      call: async ([query = '']) => new Map([[query, await look(query)]]),
      gate,
      maxBatchSize: 1,
      maxWaiting: MAX_WAITING_QUERIES,
    });
    return async (query, requester) => {
      const value = (await lookup.lookUp([query], requester)).get(query);
      if (value === undefined) throw new ArmadaJobsError('unavailable', 'Armada sent no response');
      return value;
    };
  }

  const states = byId(
    JobsService.getJobStatus,
    (jobIds: JobId[]) => ({ jobIds }),
    ({ jobStates }) => jobStates,
  );
  const errors = byId(
    JobsService.getJobErrors,
    (jobIds: JobId[]) => ({ jobIds }),
    ({ jobErrors }) => jobErrors,
  );
  const runDetails = byId(
    JobsService.getJobRunDetails,
    (runIds: string[]) => ({ runIds }),
    ({ jobRunDetails }) => jobRunDetails,
  );
  const detailsWith = (spec: boolean, runs: boolean) =>
    byId(
      JobsService.getJobDetails,
      (jobIds: JobId[]) => ({ jobIds, expandJobSpec: spec, expandJobRun: runs }),
      ({ jobDetails }): Readonly<Record<string, JobDetails>> => jobDetails,
    );
  const details = {
    withNothing: detailsWith(false, false),
    withSpec: detailsWith(true, false),
    withRuns: detailsWith(false, true),
    withBoth: detailsWith(true, true),
  };
  const byExternalUri = singly(async (query) => {
    const request = JSON.parse(query) as JobStatusUsingExternalJobUriRequest;
    const { jobStates } = await call(JobsService.getJobStatusUsingExternalJobUri, request, 1);
    return entriesOf<JobId, JobState>(jobStates);
  });
  const activeQueues = singly((): Promise<GetActiveQueuesResponse> =>
    call(JobsService.getActiveQueues, {}, 1),
  );

  const jobsFor = (requester: Requester): ArmadaJobs => ({
    status: async (jobIds) => {
      const found = await states(jobIds, requester);
      const stateOf = (jobId: JobId): JobState => {
        const state = found.get(jobId);
        if (state !== undefined) return state;
        if (!POSSIBLE_ID.test(jobId)) return JobState.UNKNOWN;
        throw new ArmadaJobsError('unavailable', `Armada's response lacks the state of ${jobId}`);
      };
      return new Map(jobIds.map((jobId) => [jobId, stateOf(jobId)]));
    },
    details: (jobIds, { spec, runs }) => {
      if (spec) return (runs ? details.withBoth : details.withSpec)(jobIds, requester);
      return (runs ? details.withRuns : details.withNothing)(jobIds, requester);
    },
    errors: (jobIds) => errors(jobIds, requester),
    byExternalUri: async ({ queue, jobset, externalJobUri }) => {
      if ([queue, jobset, externalJobUri].some((text) => text.includes(NUL))) return new Map();
      return byExternalUri(JSON.stringify({ queue, jobset, externalJobUri }), requester);
    },
    runDetails: (runIds) => runDetails(runIds, requester),
    activeQueues: () => activeQueues('', requester),
  });
  return { ...jobsFor(THIS_PROCESS), for: jobsFor, close: () => gate.close() };
}

function entriesOf<Id extends string, V>(answers: Readonly<Record<string, V>>): Map<Id, V> {
  return new Map(Object.entries(answers) as [Id, V][]);
}
