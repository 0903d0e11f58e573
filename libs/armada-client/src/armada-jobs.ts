import type {
  GetActiveQueuesResponse,
  JobDetails,
  JobRunDetails,
  JobStatusUsingExternalJobUriRequest,
} from '@ajs/contracts/api/job';
import type { JobState } from '@ajs/contracts/api/submit';

/**
 * What Armada's own `api.Jobs` says, asked under our identity. Calls for the same ids at the same time are one call upstream;
 * ids are asked in chunks that Armada accepts, and calls are bounded in rate and in number. Rejects with
 * {@link ArmadaJobsError} where Armada does not settle the question.
 */
export interface ArmadaJobs {
  /** The state of every job asked about; UNKNOWN where Armada has no such job. */
  status(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobState>>;
  /** Jobs that Armada does not have are left out. */
  details(
    jobIds: readonly string[],
    expand: { readonly spec: boolean; readonly runs: boolean },
  ): Promise<ReadonlyMap<string, JobDetails>>;
  /** Jobs that Armada does not have are left out; '' where there is nothing to tell. */
  errors(jobIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Of every job with this URI; which is not empty. */
  byExternalUri(request: JobStatusUsingExternalJobUriRequest): Promise<ReadonlyMap<string, JobState>>;
  /** Runs that Armada does not have are left out. */
  runDetails(runIds: readonly string[]): Promise<ReadonlyMap<string, JobRunDetails>>;
  activeQueues(): Promise<GetActiveQueuesResponse>;
}

/** Armada did not settle what was asked of its `api.Jobs`. */
export class ArmadaJobsError extends Error {
  constructor(
    /**
     * - `unsupported`: this Armada does not have the method (UNIMPLEMENTED), as older ones do not.
     * - `refused`: Armada does not let our identity ask.
     * - `unavailable`: anything else; asking again later may settle it.
     */
    readonly kind: 'unsupported' | 'refused' | 'unavailable',
    /** For people: what the server or the connection said. Holds no secret. */
    readonly reason: string,
  ) {
    super(reason);
    this.name = 'ArmadaJobsError';
  }
}
