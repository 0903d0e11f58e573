import type { ArmadaTime } from './times.js';

/** A run as Armada's own `api.Jobs` shows it. A text is '', and a time is left out, where Armada has none. */
export interface ReportedRun {
  readonly id: string;
  /** Armada's number for the state of the run. */
  readonly state: number;
  readonly cluster: string;
  readonly node: string;
  readonly leasedAt?: ArmadaTime;
  readonly pendingAt?: ArmadaTime;
  readonly runningAt?: ArmadaTime;
  /** When the run itself ended: before the event that ends the job, which is the scheduler's. */
  readonly endedAt?: ArmadaTime;
}

/** All runs of a job, as Armada's own `api.Jobs` shows them. */
export interface ReportedRuns {
  /** The latest run is the job's `number`th (`JobRecord.runNumber`). */
  readonly number: number;
  readonly latest: ReportedRun;
  /** The newest first. */
  readonly earlier: readonly ReportedRun[];
  /** The latest run has ended, as far as Armada will ever show. */
  readonly isOver: boolean;
}

/**
 * What only Armada's own `api.Jobs` knows of a job, kept beside its record once it was fetched. A text is '' where Armada has
 * none.
 */
export interface JobEnrichment {
  readonly runs?: ReportedRuns;
  /** Why and by whom the job was cancelled. */
  readonly cancellation?: { readonly reason: string; readonly user: string };
  /** The namespace of a job that has ended without any event of the stream. */
  readonly namespace?: string;
  /** The text of `GetJobErrors` once the job has ended. */
  readonly error?: string;
}
