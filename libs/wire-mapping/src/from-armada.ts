import { Cause } from '@ajs/contracts/api/event';
import { EventStreamMessage, type EventMessage, type JobFailedEvent } from '@ajs/contracts/ingest/v1/event';
import {
  Cursor,
  messageTime,
  parseMessageId,
  type ArmadaTime,
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
import { EventReader } from './event-reader.js';
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

/** An object that is not finished yet. */
type Writable<T> = { -readonly [Field in keyof T]: T[Field] };
type Oneof = NonNullable<EventMessage['events']>;

/** Kinds that say nothing of a job's state. `terminated` means that a pod went away, not the job's end. */
const WITHOUT_MEANING = {
  reprioritizing: true,
  reprioritized: true,
  cancelling: true,
  preempting: true,
  utilisation: true,
  ingressInfo: true,
  terminated: true,
  updated: true,
} as const satisfies Partial<Record<Oneof['$case'], true>>;

type WithMeaning = Exclude<Oneof, { $case: keyof typeof WITHOUT_MEANING }>;

function hasMeaning(oneof: Oneof): oneof is WithMeaning {
  return !Object.hasOwn(WITHOUT_MEANING, oneof.$case);
}

/** Reads one message of Armada's stream from its bytes: what states are made of, and nothing else. Never throws; what it keeps of texts is bounded. */
export function readStreamMessage(bytes: Uint8Array): Mapped {
  let message: EventStreamMessage;
  try {
    message = EventStreamMessage.decode(new EventReader(bytes));
  } catch (error) {
    return { kind: 'unreadable', reason: `${bytes.length} bytes are no event: ${(error as Error).message}` };
  }
  return toStreamMessage(message);
}

/** Maps one message of Armada's stream. Never throws; what it keeps of texts is bounded. */
export function toStreamMessage({ id: text, message }: EventStreamMessage): Mapped {
  const id = parseMessageId(text);
  if (id === undefined) return { kind: 'unreadable', reason: `"${cut(text, 64)}" is not a message id` };
  const cursor = Cursor(text);
  const oneof = message?.events;
  // A kind that the contract does not know decodes as no kind at all, or as one without a value.
  if ((oneof as Partial<Oneof> | undefined)?.value === undefined || oneof === undefined) {
    return { kind: 'unknown', message: { cursor, id } };
  }
  if (!hasMeaning(oneof)) return { kind: 'message', message: { cursor, id } };
  const { jobId, created } = oneof.value;
  if (!isUsableJobId(jobId)) return { kind: 'malformed', message: { cursor, id } };
  const event = toEvent(oneof, jobId, toArmadaTime(created) ?? messageTime(id));
  return { kind: 'message', message: { cursor, id, event } };
}

function isUsableJobId(jobId: string): jobId is JobId {
  return idProblem(jobId) === undefined;
}

// Runs for every event: objects are built field by field, since spreading optional parts into them takes several times as long.
function toEvent(oneof: WithMeaning, jobId: JobId, at: ArmadaTime): JobEvent {
  switch (oneof.$case) {
    case 'submitted': {
      const event: Writable<Extract<JobEvent, { kind: 'submitted' }>> = { kind: 'submitted', jobId, at };
      const { job } = oneof.value;
      const externalUri = job?.annotations[EXTERNAL_URI_ANNOTATION];
      if (job?.namespace) event.namespace = cut(job.namespace, LONGEST_NAME);
      if (externalUri) event.externalUri = cut(externalUri, LONGEST_EXTERNAL_URI);
      return event;
    }
    case 'queued':
      return { kind: 'queued', jobId, at };
    case 'leased':
      return { kind: 'leased', jobId, at, placement: toPlacement(oneof.value) };
    case 'leaseReturned':
      return { kind: 'returned', jobId, at, expired: false, attempted: oneof.value.runAttempted };
    case 'unableToSchedule':
      // The cluster had the pod, and found no node for it.
      return { kind: 'returned', jobId, at, expired: false, attempted: true };
    case 'leaseExpired':
      return { kind: 'returned', jobId, at, expired: true, attempted: true };
    case 'pending':
      return { kind: 'pending', jobId, at, placement: toPlacement(oneof.value) };
    case 'running':
      return { kind: 'running', jobId, at, placement: toPlacement(oneof.value) };
    case 'succeeded':
      return { kind: 'succeeded', jobId, at, placement: toPlacement(oneof.value) };
    case 'failed':
      return {
        kind: 'failed',
        jobId,
        at,
        retryable: oneof.value.retryable,
        rejected: oneof.value.cause === Cause.Rejected,
        failure: toFailure(oneof.value),
        placement: toPlacement(oneof.value),
      };
    case 'preempted':
      return { kind: 'preempted', jobId, at, reason: cutForPeople(oneof.value.reason, LONGEST_REASON) };
    case 'cancelled':
      return {
        kind: 'cancelled',
        jobId,
        at,
        reason: cutForPeople(oneof.value.reason, LONGEST_REASON),
        requestor: cut(oneof.value.requestor, LONGEST_NAME),
      };
    case 'duplicateFound':
      return {
        kind: 'duplicate-found',
        jobId,
        at,
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
  const placement: Writable<Placement> = {};
  if (clusterId) placement.cluster = cut(clusterId, LONGEST_NAME);
  if (pool) placement.pool = cut(pool, LONGEST_NAME);
  if (nodeName) placement.node = cut(nodeName, LONGEST_NAME);
  if (podName) placement.podName = cut(podName, LONGEST_NAME);
  if (podNamespace) placement.podNamespace = cut(podNamespace, LONGEST_NAME);
  return placement;
}

function toFailure(failed: JobFailedEvent): Failure {
  const { reason, failureCategory, failureSubcategory } = failed;
  return {
    reason: cutForPeople(reason, LONGEST_REASON),
    ...(failureCategory && { category: cut(failureCategory, LONGEST_NAME) }),
    ...(failureSubcategory && { subcategory: cut(failureSubcategory, LONGEST_NAME) }),
    ...toContainerExits(failed),
  };
}

function toContainerExits(failed: JobFailedEvent): Pick<Failure, 'exitCodes' | 'exitReasons'> {
  // Servers before 0.4 send exit codes, and nothing else of a container.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const codesOnly = Object.entries(failed.exitCodes).map(([name, exitCode]) => ({
    name,
    exitCode,
    reason: '',
  }));
  const statuses = failed.containerStatuses.length > 0 ? failed.containerStatuses : codesOnly;
  const containers = statuses.slice(0, MOST_CONTAINERS).map(({ name, exitCode, reason }) => ({
    name: cut(name, LONGEST_NAME),
    exitCode,
    reason: cut(reason, LONGEST_NAME),
  }));
  const withReason = containers.filter(({ reason }) => reason !== '');
  return {
    ...(containers.length > 0 && {
      exitCodes: Object.fromEntries(containers.map(({ name, exitCode }) => [name, exitCode])),
    }),
    ...(withReason.length > 0 && {
      exitReasons: Object.fromEntries(withReason.map(({ name, reason }) => [name, reason])),
    }),
  };
}
