import { isTerminal, type JobId, type JobState } from '@ajs/job-state';
import type { JobSetView } from '@ajs/job-store';

/** The most jobs of a sample: what one call of Armada's `api.Jobs` takes with ease. */
const SAMPLE_SIZE = 100;

type PolledJob = readonly [jobId: JobId, state: JobState];

/** A random sample of the jobs that callers poll and whose event stream, which is live, shows them unfinished. */
export class PolledJobs {
  private jobs: PolledJob[] = [];
  /** Jobs of the reads that the full sample was chosen from. */
  private seen = 0;

  /** @param random as `Math.random` */
  constructor(private readonly random: () => number = Math.random) {}

  /** Takes note of what was read for callers. */
  add({ subscription, jobs }: Pick<JobSetView, 'subscription' | 'jobs'>): void {
    if (subscription?.state !== 'live' || jobs.size === 0) return;
    this.seen += jobs.size;
    if (this.jobs.length < SAMPLE_SIZE) this.fillUp(jobs);
    else this.replaceOne(jobs);
  }

  /** The sample since the last call: jobs, each with a state that was read meanwhile. */
  take(): ReadonlyMap<JobId, JobState> {
    const sample = new Map(this.jobs);
    this.jobs = [];
    this.seen = 0;
    return sample;
  }

  private fillUp(jobs: JobSetView['jobs']): void {
    for (const [jobId, { state }] of jobs) {
      if (this.jobs.length === SAMPLE_SIZE) return;
      if (!isTerminal(state)) this.jobs.push([jobId, state]);
    }
  }

  /** Takes one job of the read or none, ever less often: so a read of a thousand jobs costs what a read of one does. */
  private replaceOne(jobs: JobSetView['jobs']): void {
    if (this.random() * this.seen >= SAMPLE_SIZE * jobs.size) return;
    const place = this.below(SAMPLE_SIZE);
    let skipped = this.below(jobs.size);
    for (const [jobId, { state }] of jobs) {
      if (skipped-- > 0) continue;
      if (!isTerminal(state)) this.jobs[place] = [jobId, state];
      return;
    }
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }
}
