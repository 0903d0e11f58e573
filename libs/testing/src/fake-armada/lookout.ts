import type { ArmadaJob } from './armada-job.js';

/** What `api.Jobs` sees: the jobs as they were some time ago, since it reads a database that lags behind the events. */
export class Lookout {
  /** For each job that changed: its versions before each change, the oldest first. */
  private readonly past = new Map<
    string,
    { readonly changedAt: number; readonly before: ArmadaJob | undefined }[]
  >();

  private seenUntil = 0;
  private readonly askedAt = new Map<string, number>();

  constructor(
    private readonly jobs: ReadonlyMap<string, ArmadaJob>,
    private readonly lagMs: () => number,
  ) {}

  /** Call it before a job changes. */
  changing(jobId: string): void {
    this.caughtUpTo();
    if (this.lagMs() === 0) return;
    const job = this.jobs.get(jobId);
    const past = this.past.get(jobId) ?? [];
    past.push({ changedAt: Date.now(), before: job && { ...job } });
    this.past.set(jobId, past);
  }

  /** A job that a caller asks for, or that the answer to another question names. */
  find(jobId: string): ArmadaJob | undefined {
    if (!this.askedAt.has(jobId)) this.askedAt.set(jobId, Date.now());
    const seenUntil = this.caughtUpTo();
    const next = this.past.get(jobId)?.find(({ changedAt }) => changedAt > seenUntil);
    if (next !== undefined) return next.before;
    this.past.delete(jobId);
    return this.jobs.get(jobId);
  }

  /** When `api.Jobs` was first asked for a job. Milliseconds since the epoch. */
  firstAskedAt(jobId: string): number | undefined {
    return this.askedAt.get(jobId);
  }

  *all(): Generator<ArmadaJob> {
    for (const jobId of this.jobs.keys()) {
      const job = this.find(jobId);
      if (job !== undefined) yield job;
    }
  }

  /** The time up to which changes are seen: a lag that begins does not take back what was seen before. */
  private caughtUpTo(): number {
    this.seenUntil = Math.max(this.seenUntil, Date.now() - this.lagMs());
    return this.seenUntil;
  }
}
