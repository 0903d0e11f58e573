import type { JobSetKey } from '@ajs/job-state';
import { jobIdFor } from '../job-ids.js';

export const QUEUE = 'soak';
/** Busy job sets at any moment. */
const ALIVE = 100;
/** How long a job set is busy. Milliseconds. */
const LIFE_MS = 120_000;
/** Jobs are submitted in the first part of this time. */
const SUBMITS_MS = LIFE_MS * 0.8;
const EVENTS_PER_JOB = 6;

/** Milliseconds after a job was submitted. */
export const RUNS_AFTER_MS = 1_000;
export const ENDS_AFTER_MS = 10_000;

/** The churn: in this interval one job set begins and another ends. Milliseconds. */
const BEGINS_EVERY_MS = LIFE_MS / ALIVE;
/** How long a job set is still polled after its last event. */
const POLLED_ON_MS = 10_000;

/** What happens when. The same in every process that knows the beginning, so that pollers know what to expect. */
export class Schedule {
  private readonly jobsPerSet: number;
  private readonly submitsEveryMs: number;

  /** @param beganAt milliseconds since the epoch */
  constructor(
    readonly beganAt: number,
    eventsPerSecond: number,
  ) {
    this.jobsPerSet = Math.max(1, Math.round((eventsPerSecond * BEGINS_EVERY_MS) / 1_000 / EVENTS_PER_JOB));
    this.submitsEveryMs = SUBMITS_MS / this.jobsPerSet;
  }

  /** The job sets that are busy or still polled at `now`: the first, and one past the last. */
  jobSets(now: number): readonly [first: number, end: number] {
    const ran = now - this.beganAt;
    return [
      Math.max(0, Math.ceil((ran - LIFE_MS - POLLED_ON_MS) / BEGINS_EVERY_MS)),
      Math.max(0, Math.floor(ran / BEGINS_EVERY_MS) + 1),
    ];
  }

  /** How many jobs of a job set were submitted at least `ageMs` before `now`. */
  submitted(set: number, now: number, ageMs = 0): number {
    const ran = now - ageMs - this.beginOf(set);
    return ran < 0 ? 0 : Math.min(this.jobsPerSet, Math.floor(ran / this.submitsEveryMs) + 1);
  }

  /** Whether a job set has had frequent events for a while, so that its newest is a moment old. */
  isBusy(set: number, now: number): boolean {
    const ran = now - this.beginOf(set);
    return ran > 5_000 && ran < SUBMITS_MS;
  }

  /** The rate once as many job sets end as begin. */
  get eventsPerSecond(): number {
    return (this.jobsPerSet * EVENTS_PER_JOB * 1_000) / BEGINS_EVERY_MS;
  }

  submittedAt(set: number, job: number): number {
    return this.beginOf(set) + job * this.submitsEveryMs;
  }

  beginOf(set: number): number {
    return this.beganAt + set * BEGINS_EVERY_MS;
  }
}

export const jobSetOf = (set: number): JobSetKey => ({ queue: QUEUE, jobSetId: `soak-${set}` });
export const jobOf = (set: number, job: number): string => jobIdFor(`soak ${set} ${job}`);
