import type { JobEnd, JobId } from '@ajs/job-state';

/** What Armada's own `api.Jobs` says of jobs that may have ended without their stream showing it: Armada, or a test. */
export interface TerminalStateSource {
  /**
   * How these jobs, at most 500, have ended; left out are those that have not, and those that Armada does not know. Rejects with
   * {@link NoApiJobsError} where this Armada has no `api.Jobs`, and with any other error where calling again later may help.
   */
  terminalStatesOf(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobEnd>>;
}

/** This Armada has no `api.Jobs`, as older ones have not. */
export class NoApiJobsError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NoApiJobsError';
  }
}
