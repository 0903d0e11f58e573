import { isTerminal, type JobId, type JobState } from '@ajs/job-state';
import type { JobSetView } from '@ajs/job-store';

/** The most jobs of a sample: what one call of Armada's `api.Jobs` takes with ease. */
const SAMPLE_SIZE = 100;

/** A random sample of the jobs that callers poll and whose event stream, which is live, shows them unfinished. */
export class PolledJobs {
  private jobs: (readonly [jobId: JobId, state: JobState])[] = [];
  private seen = 0;

  /** @param random as `Math.random` */
  constructor(private readonly random: () => number = Math.random) {}

  /** Takes note of what was read for callers. */
  add({ subscription, jobs }: Pick<JobSetView, 'subscription' | 'jobs'>): void {
    if (subscription?.state !== 'live') return;
    for (const [jobId, { state }] of jobs) {
      if (isTerminal(state)) continue;
      // Each of those seen has the same chance to be in the sample (Vitter's algorithm R).
      const place = this.seen < SAMPLE_SIZE ? this.seen : Math.floor(this.random() * (this.seen + 1));
      if (place < SAMPLE_SIZE) this.jobs[place] = [jobId, state];
      this.seen++;
    }
  }

  /** The sample since the last call: jobs, each with a state that was read meanwhile. */
  take(): ReadonlyMap<JobId, JobState> {
    const sample = new Map(this.jobs);
    this.jobs = [];
    this.seen = 0;
    return sample;
  }
}
