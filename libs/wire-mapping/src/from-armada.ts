import { Cause } from '@ajs/contracts/api/event';
import { EventStreamMessage, type EventMessage, type JobFailedEvent } from '@ajs/contracts/ingest/v1/event';
import {
  Cursor,
  messageTime,
  parseMessageId,
  type Failure,
  type JobEvent,
  type Placement,
  type StreamMessage,
  type JobId,
  idProblem,
} from '@ajs/job-state';
import {
  LONGEST_EXTERNAL_URI,
  LONGEST_NAME,
  LONGEST_REASON,
  MOST_CONTAINERS,
  cut,
  cutForPeople,
} from './bounds.js';
import { toArmadaTime } from './timestamps.js';

/** The annotation that carries a job's external URI. Field 13 of a submitted item, which wins over it, is not in any event. */
export const EXTERNAL_URI_ANNOTATION = 'armadaproject.io/externalJobUri';

/** What a message of Armada's stream is to us. */
export type Mapped =
  /** Its event, if it has one that counts, is to be folded; the cursor moves. */
  | { readonly kind: 'message'; readonly message: StreamMessage }
  /** As `message` without an event: a kind of event we do not know, or one that names no usable job. */
  | { readonly kind: 'unknown' | 'malformed'; readonly message: StreamMessage }
  /** It cannot be read: it is no message, or has no id that says where in the stream it stands. */
  | { readonly kind: 'unreadable'; readonly reason: string };

type Oneof = NonNullable<EventMessage['events']>;

/** Kinds that say nothing of a job's state. `terminated` means that a pod went away, not the job's end. */
const WITHOUT_MEANING = [
  'reprioritizing',
  'reprioritized',
  'cancelling',
  'preempting',
  'utilisation',
  'ingressInfo',
  'terminated',
  'updated',
] as const satisfies readonly Oneof['$case'][];

type WithMeaning = Exclude<Oneof, { $case: (typeof WITHOUT_MEANING)[number] }>;

function hasMeaning(oneof: Oneof): oneof is WithMeaning {
  return !(WITHOUT_MEANING as readonly Oneof['$case'][]).includes(oneof.$case);
}

/** Reads one message of Armada's stream from its bytes: what states are made of, and nothing else. Never throws; what it keeps of texts is bounded. */
export function readStreamMessage(bytes: Uint8Array): Mapped {
  let message: EventStreamMessage;
  try {
    message = EventStreamMessage.decode(bytes);
  } catch (error) {
    return { kind: 'unreadable', reason: `${bytes.length} bytes are no event: ${(error as Error).message}` };
  }
  return toStreamMessage(message);
}

/** Maps one message of Armada's stream. Never throws; what it keeps of texts is bounded. */
export function toStreamMessage({ id: text, message }: EventStreamMessage): Mapped {
  const id = parseMessageId(text);
  if (id === undefined) return { kind: 'unreadable', reason: `"${cut(text, 64)}" is not a message id` };
  const bare: StreamMessage = { cursor: Cursor(text), id };
  const oneof = message?.events;
  // A kind that the contract does not know decodes as no kind at all, or as one without a value.
  if ((oneof as Partial<Oneof> | undefined)?.value === undefined || oneof === undefined) {
    return { kind: 'unknown', message: bare };
  }
  if (!hasMeaning(oneof)) return { kind: 'message', message: bare };
  const { jobId, created } = oneof.value;
  if (!isUsableJobId(jobId)) return { kind: 'malformed', message: bare };
  const event = toEvent(oneof, { jobId, at: toArmadaTime(created) ?? messageTime(id) });
  return { kind: 'message', message: { ...bare, event } };
}

function isUsableJobId(jobId: string): jobId is JobId {
  return idProblem(jobId) === undefined;
}

function toEvent(oneof: WithMeaning, base: Pick<JobEvent, 'jobId' | 'at'>): JobEvent {
  switch (oneof.$case) {
    case 'submitted': {
      const { job } = oneof.value;
      const externalUri = job?.annotations[EXTERNAL_URI_ANNOTATION];
      return {
        ...base,
        kind: 'submitted',
        ...(job?.namespace && { namespace: cut(job.namespace, LONGEST_NAME) }),
        ...(externalUri && { externalUri: cut(externalUri, LONGEST_EXTERNAL_URI) }),
      };
    }
    case 'queued':
      return { ...base, kind: 'queued' };
    case 'leased':
      return { ...base, kind: 'leased', placement: toPlacement(oneof.value) };
    case 'leaseReturned':
    case 'unableToSchedule':
      return { ...base, kind: 'returned', expired: false };
    case 'leaseExpired':
      return { ...base, kind: 'returned', expired: true };
    case 'pending':
      return { ...base, kind: 'pending', placement: toPlacement(oneof.value) };
    case 'running':
      return { ...base, kind: 'running', placement: toPlacement(oneof.value) };
    case 'succeeded':
      return { ...base, kind: 'succeeded', placement: toPlacement(oneof.value) };
    case 'failed':
      return {
        ...base,
        kind: 'failed',
        retryable: oneof.value.retryable,
        rejected: oneof.value.cause === Cause.Rejected,
        failure: toFailure(oneof.value),
        placement: toPlacement(oneof.value),
      };
    case 'preempted':
      return { ...base, kind: 'preempted', reason: cutForPeople(oneof.value.reason, LONGEST_REASON) };
    case 'cancelled':
      return {
        ...base,
        kind: 'cancelled',
        reason: cutForPeople(oneof.value.reason, LONGEST_REASON),
        requestor: cut(oneof.value.requestor, LONGEST_NAME),
      };
    case 'duplicateFound':
      return {
        ...base,
        kind: 'duplicate-found',
        originalJobId: cut(oneof.value.originalJobId, LONGEST_NAME),
      };
  }
}

interface Placed {
  readonly clusterId?: string;
  readonly pool?: string;
  readonly nodeName?: string;
  readonly podName?: string;
  readonly podNamespace?: string;
}

/** Empty fields say nothing, and must not wipe out what an earlier event of the run said. */
function toPlacement({ clusterId, pool, nodeName, podName, podNamespace }: Placed): Placement {
  return {
    ...(clusterId && { cluster: cut(clusterId, LONGEST_NAME) }),
    ...(pool && { pool: cut(pool, LONGEST_NAME) }),
    ...(nodeName && { node: cut(nodeName, LONGEST_NAME) }),
    ...(podName && { podName: cut(podName, LONGEST_NAME) }),
    ...(podNamespace && { podNamespace: cut(podNamespace, LONGEST_NAME) }),
  };
}

function toFailure(failed: JobFailedEvent): Failure {
  const { reason, failureCategory, failureSubcategory, containerStatuses } = failed;
  const exitCodes =
    containerStatuses.length > 0
      ? containerStatuses.map(({ name, exitCode }) => [name, exitCode] as const)
      : // Servers before 0.4 send nothing else.
        // eslint-disable-next-line @typescript-eslint/no-deprecated
        Object.entries(failed.exitCodes);
  return {
    reason: cutForPeople(reason, LONGEST_REASON),
    ...(failureCategory && { category: cut(failureCategory, LONGEST_NAME) }),
    ...(failureSubcategory && { subcategory: cut(failureSubcategory, LONGEST_NAME) }),
    ...(exitCodes.length > 0 && {
      exitCodes: Object.fromEntries(
        exitCodes.slice(0, MOST_CONTAINERS).map(([name, code]) => [cut(name, LONGEST_NAME), code]),
      ),
    }),
  };
}
