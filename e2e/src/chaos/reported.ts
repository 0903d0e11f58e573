import type { JobState } from '@ajs/job-state';
import type { Bounds } from './bounds.js';
import type { Answer, TrueJob } from './history.js';
import { isCurrentAt, isFromTheStream, possibleStages, reportedEnd } from './stages.js';

/** What earlier answers reported of a job, by any API and query. */
export interface Before {
  /** The least position of the message that began the reported state; left out where no state was reported. */
  readonly position?: number;
  /** The terminal state. */
  readonly end?: JobState;
}

/** What earlier answers reported about one job set. */
export class Reported {
  floor = 0;
  private readonly jobs = new Map<string, Before>();

  constructor(private readonly bounds: Bounds) {}

  /** @param asked what was known when the answer was requested: it may be as old, whatever was received meanwhile */
  add(answer: Answer, job: TrueJob, asked: { readonly floor: number; readonly before: Before }): void {
    if (answer.result.kind !== 'state') return;
    const { position = 0, end } = this.of(answer.jobId);
    const least = asked.before.position ?? 0;
    const isFromStream = isFromTheStream(answer, job, this.bounds);
    const stage = possibleStages(answer, job).find(
      (one) => one.position >= least && (!isFromStream || isCurrentAt(asked.floor, one, job)),
    );
    const ended = end ?? reportedEnd(answer, job);
    this.jobs.set(answer.jobId, {
      position: Math.max(position, stage?.position ?? 0),
      ...(ended !== undefined && { end: ended }),
    });
    if (isFromStream && stage !== undefined) this.floor = Math.max(this.floor, stage.position);
  }

  of(jobId: string): Before {
    return this.jobs.get(jobId) ?? {};
  }
}
