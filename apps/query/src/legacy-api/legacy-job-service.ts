import { toMs } from '@ajs/job-state';
import type {
  JobServiceRequest,
  JobServiceResponse,
  JobServiceServer,
} from '@ajs/contracts/jobservice/jobservice';
import {
  HealthCheckResponse_ServingStatus,
  JobServiceResponse_State,
} from '@ajs/contracts/jobservice/jobservice';
import type { SubscriptionView } from '@ajs/job-store';
import { toLegacyResponse } from '@ajs/wire-mapping';
import { Metadata, status } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { callerOf } from '../grpc/caller-of.js';
import type { Admission } from '../load/admission.js';
import { nameProblem } from '../name-problem.js';
import { RpcError } from '../rpc-error.js';
import type { Answer, JobStatusQuery } from './job-status-query.js';
import { UnknownQueues } from './unknown-queues.js';

/** Trailing metadata: the state of the job set's subscription. */
export const SUBSCRIPTION_HEADER = 'armada-job-set-subscription';
/** Trailing metadata: when the job set was last known to be level with Armada (RFC 3339, UTC, by Redis' clock). */
export const SYNCED_AT_HEADER = 'armada-job-set-synced-at';

export interface LegacyOptions {
  readonly access: Access;
  readonly admission: Admission;
  readonly query: JobStatusQuery;
  /** Whether Armada answers its own Health. */
  readonly armadaIsHealthy: () => Promise<boolean>;
  readonly answered: (state: JobServiceResponse['state'], seconds: number) => void;
  /** The caller may not have an answer. */
  readonly refused: (code: status) => void;
  readonly redisFailed: (error: Error) => void;
}

/**
 * `jobservice.JobService`, as Armada's older Airflow operator polls it. That operator fails its task on the fifth
 * UNAVAILABLE in 1.5 s and at once on other codes, but polls on after CONNECTION_ERR: so trouble of ours is CONNECTION_ERR
 * with the reason, and JOB_ID_NOT_FOUND means only that Armada has no such job (P5). Whether the caller may watch the queue is
 * settled before anything is looked up.
 */
export function legacyJobService(options: LegacyOptions): JobServiceServer {
  const unknownQueues = new UnknownQueues();
  const answer = async (request: JobServiceRequest, caller: Caller): Promise<Reply> => {
    const { queue, jobSetId, jobId } = request;
    if ((await options.access.toQueue(caller, queue)) === 'no-queue')
      return ofNoQueue(request, unknownQueues);
    return toReply(await options.query.run({ queue, jobSetId }, jobId, caller));
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
      const caller = callerOf(call);
      options.admission
        .run(caller, () => answer(call.request, caller))
        .then(reply, (error: unknown) => {
          if (!(error instanceof RpcError)) {
            options.redisFailed(error as Error);
            reply(connectionError('Redis does not answer; known states are back as soon as it does'));
          } else if (error.code === status.UNAVAILABLE || error.code === status.RESOURCE_EXHAUSTED) {
            reply(connectionError(error.details));
          } else {
            options.refused(error.code);
            callback(error);
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

interface Reply {
  readonly message: JobServiceResponse;
  readonly subscription: SubscriptionView | undefined;
}

function toReply(answer: Answer): Reply {
  switch (answer.kind) {
    case 'known':
      return { message: toLegacyResponse(answer.status), subscription: answer.subscription };
    case 'absent':
      return {
        message: { state: JobServiceResponse_State.JOB_ID_NOT_FOUND, error: '' },
        subscription: answer.subscription,
      };
    case 'unsettled':
      return { ...connectionError(answer.reason), subscription: answer.subscription };
  }
}

/** As every job of a queue that Armada does not know, whether it was known before or not. */
function ofNoQueue(request: JobServiceRequest, unknownQueues: UnknownQueues): Reply {
  if (!unknownQueues.isGone(request)) {
    return connectionError(`Armada does not know queue ${JSON.stringify(request.queue)}, yet or any more`);
  }
  return {
    message: { state: JobServiceResponse_State.JOB_ID_NOT_FOUND, error: '' },
    subscription: undefined,
  };
}

function connectionError(error: string): Reply {
  return { message: { state: JobServiceResponse_State.CONNECTION_ERR, error }, subscription: undefined };
}

/** Answers of one read share what it told of the subscription, and so the metadata made of it. */
const metadataOf = new WeakMap<SubscriptionView, Metadata>();
const NO_METADATA = new Metadata();

function freshness(subscription: SubscriptionView | undefined): Metadata {
  if (subscription === undefined) return NO_METADATA;
  const known = metadataOf.get(subscription);
  if (known !== undefined) return known;
  const metadata = new Metadata();
  metadata.set(SUBSCRIPTION_HEADER, subscription.state);
  if (subscription.syncedAt !== undefined) {
    metadata.set(SYNCED_AT_HEADER, new Date(toMs(subscription.syncedAt)).toISOString());
  }
  metadataOf.set(subscription, metadata);
  return metadata;
}

/** What is wrong with the request, naming the field; `undefined` if nothing is. */
function problemOf({ jobId, jobSetId, queue }: JobServiceRequest): string | undefined {
  for (const [field, value] of [
    ['job_id', jobId],
    ['job_set_id', jobSetId],
    ['queue', queue],
  ] as const) {
    const problem = nameProblem(value);
    if (problem !== undefined) return `${field} ${problem}; job_id, job_set_id and queue must all be given`;
  }
  return undefined;
}
