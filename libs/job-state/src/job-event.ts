import { type JobId } from './job-id.js';
import { type ArmadaTime } from './times.js';
/** Where a run's pod is. Fields that an event does not carry are left out. */
export interface Placement {
  readonly cluster?: string;
  readonly pool?: string;
  readonly node?: string;
  readonly podName?: string;
  readonly podNamespace?: string;
}

/** Why a run or a job failed. */
export interface Failure {
  readonly reason: string;
  readonly category?: string;
  readonly subcategory?: string;
  /** Exit code by container name. */
  readonly exitCodes?: Readonly<Record<string, number>>;
  /** By container name, Kubernetes' word for why the container ended, such as `OOMKilled`. Containers without one are left out. */
  readonly exitReasons?: Readonly<Record<string, string>>;
}

interface EventBase {
  readonly jobId: JobId;
  /** When it happened. */
  readonly at: ArmadaTime;
}

/**
 * What happened to one job, as far as its state is concerned. Armada's kinds that say nothing about the state
 * (`cancelling`, `utilisation`, …) and kinds we do not know have no event here.
 */
export type JobEvent = EventBase &
  (
    | { readonly kind: 'submitted'; readonly namespace?: string; readonly externalUri?: string }
    | { readonly kind: 'queued' }
    | { readonly kind: 'leased'; readonly placement: Placement }
    /** The run is over and the job waits again: `lease_returned`, `lease_expired` or `unable_to_schedule`. */
    | {
        readonly kind: 'returned';
        /** The cluster fell silent, and did not give the job back. */
        readonly expired: boolean;
        /** The cluster may have tried to run the job's pod: Armada counts the run as an attempt. */
        readonly attempted: boolean;
      }
    | { readonly kind: 'pending'; readonly placement: Placement }
    | { readonly kind: 'running'; readonly placement: Placement }
    | { readonly kind: 'succeeded'; readonly placement: Placement }
    | {
        readonly kind: 'failed';
        /** The job will run again. */
        readonly retryable: boolean;
        /** The scheduler refused the job (cause Rejected). */
        readonly rejected: boolean;
        readonly failure: Failure;
        readonly placement: Placement;
      }
    | { readonly kind: 'preempted'; readonly reason: string }
    | { readonly kind: 'cancelled'; readonly reason: string; readonly requestor: string }
    /** Sent by servers 0.3 and 0.4: this id was another job's from the start. */
    | { readonly kind: 'duplicate-found'; readonly originalJobId: string }
  );
