import type { ArmadaJob } from './armada-job.js';

/** What `api.Jobs` sees: the jobs as they were some time ago, since it reads a database that lags behind the events. */
export class Lookout {
  /** For each job that changed: its versions before each change, the oldest first. */
  private readonly past = new Map<
    string,
    { readonly changedAt: number; readonly before: ArmadaJob | undefined }[]
  >();

  constructor(
    private readonly jobs: ReadonlyMap<string, ArmadaJob>,
    private readonly lagMs: () => number,
  ) {}

  /** Call it before a job changes. */
  changing(jobId: string): void {
    if (this.lagMs() === 0) return;
    const job = this.jobs.get(jobId);
    const past = this.past.get(jobId) ?? [];
    past.push({ changedAt: Date.now(), before: job && { ...job } });
    this.past.set(jobId, past);
  }

  find(jobId: string): ArmadaJob | undefined {
    const seenUntil = Date.now() - this.lagMs();
    const next = this.past.get(jobId)?.find(({ changedAt }) => changedAt > seenUntil);
    if (next !== undefined) return next.before;
    this.past.delete(jobId);
    return this.jobs.get(jobId);
  }

  *all(): Generator<ArmadaJob> {
    for (const jobId of this.jobs.keys()) {
      const job = this.find(jobId);
      if (job !== undefined) yield job;
    }
  }
}
