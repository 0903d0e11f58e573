import { createHash } from 'node:crypto';
import {
  Cause,
  JobCancelledEvent,
  JobCancellingEvent,
  JobFailedEvent,
  JobLeasedEvent,
  JobPendingEvent,
  JobPreemptedEvent,
  JobPreemptingEvent,
  JobReprioritizedEvent,
  JobReprioritizingEvent,
  JobRunningEvent,
  JobSucceededEvent,
  type EventMessage,
} from '@ajs/contracts/api/event';
import type { Timestamp } from '@ajs/contracts/google/protobuf/timestamp';
import { Job, type JobSubmitRequestItem } from '@ajs/contracts/api/submit';

/** The job an event is about. */
export interface JobRef {
  readonly jobId: string;
  readonly queue: string;
  readonly jobSetId: string;
}

/** The part of a submitted job that its events show. */
export type SubmittedJob = Pick<JobSubmitRequestItem, 'namespace' | 'annotations'> &
  Partial<Pick<JobSubmitRequestItem, (typeof JOB_FIELDS)[number]>>;

const JOB_FIELDS = [
  'priority',
  'podSpec',
  'podSpecs',
  'labels',
  'requiredNodeLabels',
  'clientId',
  'ingress',
  'services',
  'scheduler',
] as const;

const EMPTY = new Uint8Array();
export const CLUSTER = { clusterId: 'fake-cluster', pool: 'default' };
/** The user that this server names in its events. */
const USER = 'anonymous';
export const NODE = 'fake-cluster-fake-node-0';

export function timestamp(ms = Date.now()): Timestamp {
  return { seconds: `${Math.floor(ms / 1000)}`, nanos: (ms % 1000) * 1e6 };
}

const base = ({ jobId, queue, jobSetId }: JobRef) => ({ jobId, queue, jobSetId, created: timestamp() });
const pod = ({ jobId }: JobRef, { namespace }: SubmittedJob) => ({
  podName: `armada-${jobId}-0`,
  podNamespace: namespace,
  kubernetesId: `k8s-${jobId}`,
});
const message = (events: NonNullable<EventMessage['events']>): EventMessage => ({ events });

/** Armada's events of one job, with the fields that it fills. */
export const jobEvents = {
  submitted: (ref: JobRef, submitted: SubmittedJob): EventMessage[] => [
    message({ $case: 'submitted', value: { ...base(ref), job: specOf(ref, submitted) } }),
    message({ $case: 'queued', value: base(ref) }),
  ],
  leased: (ref: JobRef): EventMessage[] => [
    message({ $case: 'leased', value: { ...JobLeasedEvent.decode(EMPTY), ...base(ref), ...CLUSTER } }),
  ],
  pending: (ref: JobRef, job: SubmittedJob): EventMessage[] => [
    message({
      $case: 'pending',
      value: { ...JobPendingEvent.decode(EMPTY), ...base(ref), ...CLUSTER, ...pod(ref, job) },
    }),
  ],
  running: (ref: JobRef, job: SubmittedJob): EventMessage[] => [
    message({
      $case: 'running',
      value: { ...JobRunningEvent.decode(EMPTY), ...base(ref), ...CLUSTER, ...pod(ref, job), nodeName: NODE },
    }),
  ],
  succeeded: (ref: JobRef): EventMessage[] => [
    message({ $case: 'succeeded', value: { ...JobSucceededEvent.decode(EMPTY), ...base(ref) } }),
  ],
  failed: (ref: JobRef, exitCode: number, retryable: boolean): EventMessage[] => [
    message({
      $case: 'failed',
      value: {
        ...JobFailedEvent.decode(EMPTY),
        ...base(ref),
        clusterId: CLUSTER.clusterId,
        reason: failureOf(exitCode),
        containerStatuses: [{ name: 'main', exitCode, message: '', reason: 'Error', cause: Cause.Error }],
        retryable,
      },
    }),
  ],
  rejected: (ref: JobRef, reason: string): EventMessage[] => [
    message({
      $case: 'failed',
      value: { ...JobFailedEvent.decode(EMPTY), ...base(ref), reason, cause: Cause.Rejected },
    }),
  ],
  preempted: (ref: JobRef, reason: string, runId = runIdOf(ref, 1)): EventMessage[] => [
    message({ $case: 'preempting', value: { ...JobPreemptingEvent.decode(EMPTY), ...base(ref), reason } }),
    message({
      $case: 'preempted',
      value: { ...JobPreemptedEvent.decode(EMPTY), ...base(ref), runId, reason },
    }),
    message({ $case: 'failed', value: { ...JobFailedEvent.decode(EMPTY), ...base(ref), reason } }),
  ],
  reprioritized: (ref: JobRef, newPriority: number): EventMessage[] => [
    message({
      $case: 'reprioritizing',
      value: { ...JobReprioritizingEvent.decode(EMPTY), ...base(ref), newPriority, requestor: USER },
    }),
    message({
      $case: 'reprioritized',
      value: { ...JobReprioritizedEvent.decode(EMPTY), ...base(ref), newPriority, requestor: USER },
    }),
  ],
  /** Armada's own streams carry no reason. */
  cancelled: (ref: JobRef, reason = ''): EventMessage[] => [
    message({
      $case: 'cancelling',
      value: { ...JobCancellingEvent.decode(EMPTY), ...base(ref), requestor: USER, reason },
    }),
    message({
      $case: 'cancelled',
      value: { ...JobCancelledEvent.decode(EMPTY), ...base(ref), requestor: USER, reason },
    }),
  ],
};

/** The same events as if they happened at this time. Milliseconds since the epoch. */
export function eventsAt(ms: number, messages: readonly EventMessage[]): EventMessage[] {
  return messages.map(({ events }) => ({
    events: events && ({ ...events, value: { ...events.value, created: timestamp(ms) } } as typeof events),
  }));
}

/** The job as `api.Job` describes it: what was submitted, except an external URI in a field of its own. */
function specOf(ref: JobRef, submitted: SubmittedJob): Job {
  const fields = JOB_FIELDS.flatMap((name) =>
    submitted[name] === undefined ? [] : [[name, submitted[name]]],
  );
  return {
    ...Job.decode(EMPTY),
    ...(Object.fromEntries(fields) as Partial<Job>),
    id: ref.jobId,
    queue: ref.queue,
    jobSetId: ref.jobSetId,
    created: timestamp(),
    namespace: submitted.namespace,
    annotations: { ...submitted.annotations },
    owner: USER,
  };
}

/** The id of a job's first, second, ... run: a UUID, the same for the same job. */
export function runIdOf({ jobId }: Pick<JobRef, 'jobId'>, run: number): string {
  const hex = createHash('sha256').update(`${jobId} ${run}`).digest('hex');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-a$4-$5');
}

/** The reason Armada gives for a container that ended with this code. */
export function failureOf(exitCode: number): string {
  return `Container main failed with exit code ${exitCode} because Error: \n`;
}
