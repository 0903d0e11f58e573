import { JobId, idProblem, nameProblem, toMs } from '@ajs/job-state';
import type {
  JobServiceRequest,
  JobServiceResponse,
  JobServiceServer,
} from '@ajs/contracts/jobservice/jobservice';
import {
  HealthCheckResponse_ServingStatus,
  JobServiceResponse_State,
} from '@ajs/contracts/jobservice/jobservice';
import type { JobStatus, SubscriptionView } from '@ajs/job-store';
import { toLegacyResponse } from '@ajs/wire-mapping';
import { Metadata, status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { callerOf } from '../grpc/caller-of.js';
import type { Admission } from '../load/admission.js';
import { RedisReadError } from '../store/redis-read.js';
import { toRpcError } from '../rpc-error.js';
import type { Answer, JobStatusQuery } from './job-status-query.js';
import { UnknownQueues } from './unknown-queues.js';

/** Trailing metadata: the state of the job set's subscription. */
export const SUBSCRIPTION_HEADER = 'armada-job-set-subscription';
/** Trailing metadata: why the subscription is as it is, for people; left out where there is nothing to say. */
export const REASON_HEADER = 'armada-job-set-reason';
/** Trailing metadata: when the job set was last synced with Armada (RFC 3339, UTC, by Redis' clock). */
export const SYNCED_AT_HEADER = 'armada-job-set-synced-at';

const MAX_HEADER_LENGTH = 1_024;

export interface LegacyOptions {
  readonly access: Access;
  readonly admission: Admission;
  readonly query: JobStatusQuery;
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
export function legacyJobService(options: LegacyOptions): JobServiceServer {
  const unknownQueues = new UnknownQueues();
  const answer = async (request: JobServiceRequest, caller: Caller): Promise<Reply> => {
    const { queue, jobSetId, jobId } = request;
    const verdict = await options.access.toQueue(caller, queue);
    if (verdict === 'no-queue') return ofNoQueue(request, unknownQueues);
    return toReply(await options.query.run({ queue, jobSetId }, JobId(jobId), caller));
  };
  return {
    getJobStatus: (call, callback) => {
      const invalid = problemOf(call.request);
      if (invalid !== undefined) {
        callback({ code: status.INVALID_ARGUMENT, details: invalid });
        return;
      }
      const began = performance.now();
      const reply = ({ message, subscription }: Reply): void => {
        if (call.cancelled) return;
        options.answered(message.state, (performance.now() - began) / 1000);
        callback(null, message, freshness(subscription));
      };
      const caller = callerOf(call, options.access.keyOf);
      options.admission
        .run(caller, () => answer(call.request, caller))
        .then(reply, (error: unknown) => {
          if (error instanceof RedisReadError) {
            options.redisFailed(error.cause);
            reply(connectionError(`${error.message}; poll again`));
            return;
          }
          const { code, details } = toRpcError(error, options.internalError);
          if (POLL_AGAIN.has(code)) reply(connectionError(details));
          else {
            options.refused(code);
            callback({ code, details });
          }
        });
    },
    health: (_call, callback) => {
      void options.armadaIsHealthy().then((healthy) => {
        const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
        callback(null, { status: healthy ? SERVING : NOT_SERVING });
      });
    },
  };
}

/** What the operator must not fail its task for. */
const POLL_AGAIN: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
]);

interface Reply {
  readonly message: JobServiceResponse;
  readonly subscription: SubscriptionView | undefined;
}

function toReply(answer: Answer): Reply {
  switch (answer.kind) {
    case 'resolved':
      return { message: toMessage(answer.status, answer.outdated), subscription: answer.subscription };
    case 'absent':
      return {
        message: { state: JobServiceResponse_State.JOB_ID_NOT_FOUND, error: '' },
        subscription: answer.subscription,
      };
    case 'unresolved':
      return { ...connectionError(answer.reason), subscription: answer.subscription };
  }
}

/** No end is outdated: the text takes no room from why a job failed. Of other states the operator reads none. */
function toMessage(job: JobStatus, outdated: string | undefined): JobServiceResponse {
  const message = toLegacyResponse(job);
  return outdated === undefined ? message : { ...message, error: outdated };
}

/** The same for every job of a queue that does not exist, whether or not it is cached. */
function ofNoQueue(request: JobServiceRequest, unknownQueues: UnknownQueues): Reply {
  if (!unknownQueues.isGone(request)) {
    return connectionError(
      `queue ${JSON.stringify(request.queue)} does not exist in Armada; a new one is visible after up to 10 s`,
    );
  }
  return {
    message: { state: JobServiceResponse_State.JOB_ID_NOT_FOUND, error: '' },
    subscription: undefined,
  };
}

function connectionError(error: string): Reply {
  return { message: { state: JobServiceResponse_State.CONNECTION_ERR, error }, subscription: undefined };
}

/** Answers from one read share its subscription, and so the metadata made of it. */
const metadataOf = new WeakMap<SubscriptionView, Metadata>();
const NO_METADATA = new Metadata();

function freshness(subscription: SubscriptionView | undefined): Metadata {
  if (subscription === undefined) return NO_METADATA;
  const cached = metadataOf.get(subscription);
  if (cached !== undefined) return cached;
  const metadata = new Metadata();
  metadata.set(SUBSCRIPTION_HEADER, subscription.state);
  if (subscription.reason !== '') metadata.set(REASON_HEADER, toHeader(subscription.reason));
  if (subscription.syncedAt !== undefined) {
    metadata.set(SYNCED_AT_HEADER, new Date(toMs(subscription.syncedAt)).toISOString());
  }
  metadataOf.set(subscription, metadata);
  return metadata;
}

/** gRPC carries printable ASCII alone. The size of all headers is limited, and one that is too long costs the answer. */
function toHeader(text: string): string {
  return text.slice(0, MAX_HEADER_LENGTH).replace(/[^ -~]/g, '?');
}

/** The problem of the request, with the name of the field; `undefined` where there is none. */
function problemOf({ jobId, jobSetId, queue }: JobServiceRequest): string | undefined {
  for (const [field, problem] of [
    ['job_id', idProblem(jobId)],
    ['job_set_id', nameProblem(jobSetId)],
    ['queue', nameProblem(queue)],
  ] as const) {
    if (problem !== undefined) return `${field} ${problem}; job_id, job_set_id and queue must all be given`;
  }
  return undefined;
}
