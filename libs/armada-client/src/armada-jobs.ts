import type { JobId } from '@ajs/job-state';
import type {
  GetActiveQueuesResponse,
  JobDetails,
  JobRunDetails,
  JobStatusUsingExternalJobUriRequest,
} from '@ajs/contracts/api/job';
import type { JobState } from '@ajs/contracts/api/submit';

/**
 * Armada's own `api.Jobs`, called under our identity. Concurrent lookups of the same ids share one call upstream; ids go in batches
 * that Armada accepts, and calls are limited in rate and in number. Every method rejects with {@link ArmadaJobsError} where Armada
 * gives no definite answer.
 */
export interface ArmadaJobs {
  /** The state of every job; UNKNOWN where Armada has no such job. */
  status(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobState>>;
  /** Jobs that Armada does not have are left out. */
  details(
    jobIds: readonly JobId[],
    expand: { readonly spec: boolean; readonly runs: boolean },
  ): Promise<ReadonlyMap<JobId, JobDetails>>;
  /** Jobs that Armada does not have are left out; '' for a job without an error. */
  errors(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, string>>;
  /** The state of every job with this URI, which must not be empty. */
  byExternalUri(request: JobStatusUsingExternalJobUriRequest): Promise<ReadonlyMap<JobId, JobState>>;
  /** Runs that Armada does not have are left out. */
  runDetails(runIds: readonly string[]): Promise<ReadonlyMap<string, JobRunDetails>>;
  activeQueues(): Promise<GetActiveQueuesResponse>;
}

/** Who waits for an answer of Armada. Requesters take turns. */
export interface Requester {
  /** The same for all calls of one caller. */
  readonly key: string;
  /** Whether it has stopped waiting: what only such requesters wait for is not asked any more. */
  readonly isGone: () => boolean;
}

/** {@link ArmadaJobs} on behalf of this process, and of others. */
export interface SharedArmadaJobs extends ArmadaJobs {
  for(requester: Requester): ArmadaJobs;
}

/** Armada's `api.Jobs` gave no definite answer. */
export class ArmadaJobsError extends Error {
  constructor(
    /**
     * - `unsupported`: this Armada does not have the method (UNIMPLEMENTED), as older ones do not.
     * - `refused`: Armada does not permit our identity to call it.
     * - `unavailable`: anything else; trying again later may help.
     */
    readonly kind: 'unsupported' | 'refused' | 'unavailable',
    /** What the server or the connection reported, for people. Holds no secret. */
    readonly reason: string,
  ) {
    super(reason);
    this.name = 'ArmadaJobsError';
  }
}
