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
import { callerOf } from '../grpc/caller-of.js';
import { problemOfName } from '../name-check.js';
import type { Answer, JobStatusQuery } from './job-status-query.js';

/** Trailing metadata: the state of the job set's subscription. */
export const SUBSCRIPTION_HEADER = 'armada-job-set-subscription';
/** Trailing metadata: when the job set was last known to be level with Armada (RFC 3339, UTC, by Redis' clock). */
export const LEVEL_AT_HEADER = 'armada-job-set-level-at';

export interface LegacyOptions {
  readonly query: JobStatusQuery;
  /** Whether Armada answers its own Health. */
  readonly armadaIsHealthy: () => Promise<boolean>;
  readonly answered: (state: JobServiceResponse['state'], seconds: number) => void;
  readonly redisFailed: (error: Error) => void;
}

/**
 * `jobservice.JobService`, as Armada's older Airflow operator polls it. That operator fails its task on the fifth
 * UNAVAILABLE in 1.5 s and at once on other codes, but polls on after CONNECTION_ERR: so trouble of ours is CONNECTION_ERR
 * with the reason, and JOB_ID_NOT_FOUND means only that Armada has no such job (P5).
 */
export function legacyJobService(options: LegacyOptions): JobServiceServer {
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
      const { queue, jobSetId, jobId } = call.request;
      const caller = callerOf(call);
      options.query.ask({ queue, jobSetId }, jobId, caller).then(
        (answer) => reply(toReply(answer)),
        (error: unknown) => {
          options.redisFailed(error as Error);
          reply(connectionError('Redis does not answer; known states are back as soon as it does'));
        },
      );
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
  if (subscription.levelAt !== undefined) {
    metadata.set(LEVEL_AT_HEADER, new Date(subscription.levelAt).toISOString());
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
    const problem = problemOfName(value);
    if (problem !== undefined) return `${field} ${problem}; job_id, job_set_id and queue must all be given`;
  }
  return undefined;
}
