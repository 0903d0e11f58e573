/**
 * What only Armada's own `api.Jobs` knows of a job, kept beside its record once it was fetched. A text is '' where Armada has
 * none.
 */
export interface JobEnrichment {
  /** The id of the run that is the job's `number`th (`JobRecord.runNumber`). */
  readonly run?: { readonly number: number; readonly id: string };
  /** Why and by whom the job was cancelled. */
  readonly cancellation?: { readonly reason: string; readonly user: string };
  /** The text of `GetJobErrors` once the job has ended. */
  readonly error?: string;
}
