import { ArmadaJobsError, fetchJobReports, type ArmadaJobs, type ReportedJob } from '@ajs/armada-client';
import type { JobId, JobState } from '@ajs/job-state';
import type { ReportRecorder } from './report-recorder.js';

export interface EventLagProbeOptions {
  /** Jobs that were polled since the last call, each with its state by the event stream. */
  readonly sample: () => ReadonlyMap<JobId, JobState>;
  readonly armada: Pick<ArmadaJobs, 'details' | 'errors'>;
  readonly recorder: Pick<ReportRecorder, 'record'>;
}

/**
 * Finds out that Armada's events lag behind its `api.Jobs`, which nothing in a live event stream shows: compares a sample of the jobs that are
 * polled with `api.Jobs`. What the stream still does not show by the next round is recorded; from then on the job set is known to lag.
 */
export class EventLagProbe {
  private suspects: readonly ReportedJob[] = [];

  constructor(private readonly options: EventLagProbeOptions) {}

  /** One round, with one call of `api.Jobs`. Rejects at a defect only. */
  async run(): Promise<void> {
    const { sample, armada, recorder } = this.options;
    const suspects = this.suspects;
    this.suspects = [];
    // Recording changes nothing where the stream has come as far meanwhile.
    if (suspects.length > 0) await recorder.record(suspects);
    const states = sample();
    if (states.size === 0) return;
    try {
      const reports = await fetchJobReports(armada, [...states.keys()]);
      this.suspects = Array.from(reports)
        .filter(([jobId, { report }]) => report !== undefined && report.state !== states.get(jobId))
        .map(([, job]) => job);
    } catch (error) {
      // Without api.Jobs there is nothing to compare with.
      if (!(error instanceof ArmadaJobsError)) throw error;
    }
  }
}
