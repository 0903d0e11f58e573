import {
  Cause,
  JobCancelledEvent,
  JobCancellingEvent,
  JobFailedEvent,
  JobLeasedEvent,
  JobPendingEvent,
  JobPreemptedEvent,
  JobPreemptingEvent,
  JobRunningEvent,
  JobSucceededEvent,
  type EventMessage,
} from '@ajs/contracts/api/event';
import type { Timestamp } from '@ajs/contracts/google/protobuf/timestamp';
import { Job } from '@ajs/contracts/api/submit';

/** The job an event is about. */
export interface JobRef {
  readonly jobId: string;
  readonly queue: string;
  readonly jobSetId: string;
}

/** What of a submitted job its events show. */
export interface SubmittedJob {
  readonly namespace: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const EMPTY = new Uint8Array();
const CLUSTER = { clusterId: 'fake-cluster', pool: 'default' };
const NODE = 'fake-cluster-fake-node-0';

function timestamp(ms = Date.now()): Timestamp {
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
  submitted: (ref: JobRef, { namespace, annotations }: SubmittedJob): EventMessage[] => [
    message({
      $case: 'submitted',
      value: {
        ...base(ref),
        job: {
          ...Job.decode(EMPTY),
          id: ref.jobId,
          queue: ref.queue,
          jobSetId: ref.jobSetId,
          created: timestamp(),
          namespace,
          annotations: { ...annotations },
          owner: 'anonymous',
        },
      },
    }),
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
  preempted: (ref: JobRef, reason: string): EventMessage[] => [
    message({ $case: 'preempting', value: { ...JobPreemptingEvent.decode(EMPTY), ...base(ref), reason } }),
    message({ $case: 'preempted', value: { ...JobPreemptedEvent.decode(EMPTY), ...base(ref), reason } }),
    message({ $case: 'failed', value: { ...JobFailedEvent.decode(EMPTY), ...base(ref), reason } }),
  ],
  cancelled: (ref: JobRef, reason: string): EventMessage[] => [
    message({
      $case: 'cancelling',
      value: { ...JobCancellingEvent.decode(EMPTY), ...base(ref), requestor: 'anonymous', reason },
    }),
    message({
      $case: 'cancelled',
      value: { ...JobCancelledEvent.decode(EMPTY), ...base(ref), requestor: 'anonymous', reason },
    }),
  ],
};

/** The reason Armada gives for a container that ended with this code. */
export function failureOf(exitCode: number): string {
  return `Container main failed with exit code ${exitCode} because Error: \n`;
}
