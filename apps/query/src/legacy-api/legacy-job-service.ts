import { JobId, idProblem, nameProblem, toMs } from '@ajs/job-state';
import type { JobServiceRequest, JobServiceResponse } from '@ajs/contracts/jobservice/jobservice';
import {
  HealthCheckResponse_ServingStatus,
  JobServiceResponse_State,
  JobServiceService,
} from '@ajs/contracts/jobservice/jobservice';
import type { JobStatus, SubscriptionView } from '@ajs/job-store';
import { toLegacyResponse } from '@ajs/wire-mapping';
import { status } from '@grpc/grpc-js';
import type { Access, Allowance } from '../access/access.js';
import type { Caller } from '../caller.js';
import { OK_TRAILERS, type OkTrailers } from '../grpc/response.js';
import { publicMethod, type UnaryMethod, type UnaryReply } from '../grpc/unary-method.js';
import type { NoteInterest } from '../interest/note-interest.js';
import { RedisReadError } from '../store/redis-read.js';
import { MessageTooLongError, RpcError, toRpcError } from '../rpc-error.js';
import { isEnded, type EndedPoll, type EndedPolls } from './ended-polls.js';
import { framedResponse } from './framed-response.js';
import type { Answer, JobStatusQuery } from './job-status-query.js';
import { UnknownQueues } from '../absence/unknown-queues.js';

/** Trailing metadata: the state of the job set's subscription. */
export const SUBSCRIPTION_HEADER = 'armada-job-set-subscription';
/** Trailing metadata: why the subscription is as it is, for people; left out where there is nothing to say. */
export const REASON_HEADER = 'armada-job-set-reason';
/** Trailing metadata: when the job set was last synced with Armada (RFC 3339, UTC, by Redis' clock). */
export const SYNCED_AT_HEADER = 'armada-job-set-synced-at';

const MAX_HEADER_LENGTH = 1_024;
/** A queue and a job set id may have 1,024 bytes each. */
const MAX_REQUEST_BYTES = 4 * 1_024;

export interface LegacyService {
  readonly getJobStatus: UnaryMethod<Request, JobServiceResponse>;
  readonly health: UnaryMethod;
}

export interface LegacyOptions {
  readonly access: Access;
  readonly query: JobStatusQuery;
  readonly endedPolls: EndedPolls;
  readonly noteInterest: NoteInterest;
  /** Whether Armada answers its own Health. */
  readonly armadaIsHealthy: () => Promise<boolean>;
  readonly answered: (state: JobServiceResponse['state'], seconds: number) => void;
  /** The call was answered with an error of gRPC. */
  readonly refused: (code: status) => void;
  readonly redisFailed: (error: Error) => void;
  /** A call ran into a defect of this service. */
  readonly internalError: (error: Error) => void;
}

/**
 * `jobservice.JobService`, as Armada's older Airflow operator polls it. That operator fails its task on the fifth UNAVAILABLE in 1.5 s
 * and at once on other codes, but polls on after CONNECTION_ERR: so a failure that is not the caller's is CONNECTION_ERR with its
 * cause, and JOB_ID_NOT_FOUND means only that Armada has no such job (P5). The caller's permission to watch the queue is checked before
 * anything is read.
 */
export function legacyJobService(options: LegacyOptions): LegacyService {
  const { access, endedPolls } = options;
  const unknownQueues = new UnknownQueues();
  const answer = (request: Request, caller: Caller, verdict: Allowance): Reply | Promise<Reply> => {
    if (verdict === 'no-queue') return ofNoQueue(request, unknownQueues.isGone(request, caller.key));
    if (!isEnded(request)) return read(request, caller);
    options.noteInterest(request, request.tag, caller);
    return request.reply;
  };
  const read = async (request: JobServiceRequest, caller: Caller): Promise<Reply> => {
    const { queue, jobSetId, jobId } = request;
    const found = await options.query.run({ queue, jobSetId }, JobId(jobId), caller);
    const reply = toReply(found);
    if (found.kind === 'resolved' && found.isFinal) endedPolls.add(request, reply);
    return reply;
  };
  const getJobStatus: UnaryMethod<Request, JobServiceResponse> = {
    definition: {
      ...JobServiceService.getJobStatus,
      requestDeserialize: (bytes: Buffer) => endedPolls.decode(bytes),
    },
    maxRequestBytes: MAX_REQUEST_BYTES,
    answer: (request, caller) => {
      if (!isEnded(request)) checkNames(request);
      const verdict = access.toQueue(caller, request.queue);
      return verdict instanceof Promise
        ? verdict.then((known) => answer(request, caller, known))
        : answer(request, caller, verdict);
    },
    failed: (error) => {
      if (error instanceof RedisReadError) {
        options.redisFailed(error.cause);
        return connectionError(`${error.message}; poll again`);
      }
      const rpcError = toRpcError(error, options.internalError);
      const isTheirs = rpcError instanceof MessageTooLongError || !POLL_AGAIN.has(rpcError.code);
      return isTheirs ? rpcError : connectionError(rpcError.details);
    },
    answered: (outcome, seconds) => {
      if (outcome instanceof RpcError) options.refused(outcome.code);
      else options.answered(outcome.response.state, seconds);
    },
  };
  const health = publicMethod(JobServiceService.health, MAX_REQUEST_BYTES, async () => {
    const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
    return { status: (await options.armadaIsHealthy()) ? SERVING : NOT_SERVING };
  });
  return { getJobStatus, health };
}

/** What the operator must not fail its task for. */
const POLL_AGAIN: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
]);

type Reply = UnaryReply<JobServiceResponse>;
type Request = JobServiceRequest | EndedPoll;

function toReply(answer: Answer): Reply {
  switch (answer.kind) {
    case 'resolved':
      return withFreshness(toMessage(answer.status, answer.outdated), answer.subscription);
    case 'absent':
      return withFreshness(
        { state: JobServiceResponse_State.JOB_ID_NOT_FOUND, error: '' },
        answer.subscription,
      );
    case 'unresolved':
      return { ...connectionError(answer.reason), trailers: freshness(answer.subscription) };
  }
}

/** Field by field: the replies of ended jobs are kept, and an object that is made of others by spreading takes twice the room. */
function withFreshness(message: JobServiceResponse, subscription: SubscriptionView | undefined): Reply {
  const { response, frame } = framedResponse(message);
  return { response, frame, trailers: freshness(subscription) };
}

/** No end is outdated: the text takes no room from why a job failed. Of other states the operator reads none. */
function toMessage(job: JobStatus, outdated: string | undefined): JobServiceResponse {
  const message = toLegacyResponse(job);
  return outdated === undefined ? message : { ...message, error: outdated };
}

/** The same for every job of a queue that does not exist, whether or not it is cached. */
function ofNoQueue({ queue }: JobServiceRequest, isGone: boolean): Reply {
  if (!isGone) {
    return connectionError(
      `queue ${JSON.stringify(queue)} does not exist in Armada; a new one is visible after up to 10 s`,
    );
  }
  return { response: { state: JobServiceResponse_State.JOB_ID_NOT_FOUND, error: '' } };
}

function connectionError(error: string): Reply {
  return { response: { state: JobServiceResponse_State.CONNECTION_ERR, error } };
}

/** Answers share what is made of one subscription, also those from different reads: it says the same until an ingester has written again. */
let latest: { readonly subscription: SubscriptionView | undefined; readonly trailers: OkTrailers } = {
  subscription: undefined,
  trailers: OK_TRAILERS,
};

function freshness(subscription: SubscriptionView | undefined): OkTrailers {
  const { state, reason, syncedAt } = latest.subscription ?? {};
  if (
    state !== subscription?.state ||
    reason !== subscription?.reason ||
    syncedAt !== subscription?.syncedAt
  ) {
    latest = { subscription, trailers: toTrailers(subscription) };
  }
  return latest.trailers;
}

function toTrailers(subscription: SubscriptionView | undefined): OkTrailers {
  if (subscription === undefined) return OK_TRAILERS;
  const { state, reason, syncedAt } = subscription;
  return {
    ...OK_TRAILERS,
    [SUBSCRIPTION_HEADER]: state,
    ...(reason !== '' && { [REASON_HEADER]: toHeader(reason) }),
    ...(syncedAt !== undefined && { [SYNCED_AT_HEADER]: new Date(toMs(syncedAt)).toISOString() }),
  };
}

/** gRPC carries printable ASCII alone. The size of all headers is limited, and one that is too long costs the answer. */
function toHeader(text: string): string {
  return text.slice(0, MAX_HEADER_LENGTH).replace(/[^ -~]/g, '?');
}

/** Throws INVALID_ARGUMENT. */
function checkNames({ jobId, jobSetId, queue }: JobServiceRequest): void {
  refuse('job_id', idProblem(jobId));
  refuse('job_set_id', nameProblem(jobSetId));
  refuse('queue', nameProblem(queue));
}

function refuse(field: string, problem: string | undefined): void {
  if (problem === undefined) return;
  throw new RpcError(
    status.INVALID_ARGUMENT,
    `${field} ${problem}; job_id, job_set_id and queue must all be given`,
  );
}
