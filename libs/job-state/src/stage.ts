import type { JobRecord } from './job-record.js';
import { isTerminal, type JobState } from './job-states.js';
import { msBetween, type ArmadaTime } from './times.js';

/**
 * Where a job stands in its life. Armada reports it in two ways, by a job set's stream and by `api.Jobs`, and either may lag behind
 * the other by any time.
 */
export interface Stage {
  readonly state: JobState;
  /** Since when it is in this state. */
  readonly at: ArmadaTime;
  /** When its latest run was leased. `undefined` where it has no run, or where that is not known. */
  readonly leasedAt: ArmadaTime | undefined;
}

/** Both ways take the time of a lease from the same event: what is left is how they round it. Milliseconds. */
const SAME_LEASE_MS = 100;
/** The times of one job come from the clocks of the scheduler and of the clusters, which are apart by less than this. Milliseconds. */
const CLOCKS_APART_MS = 5_000;

/** How far a job has come in one run: after it, it is queued again. */
const IN_RUN = { LEASED: 0, PENDING: 1, RUNNING: 2, QUEUED: 3, SUBMITTED: 3 } as const;

/**
 * Negative, zero or positive as a job is less far, as far or further in its life at `a` than at `b`. An end is further than all else, and
 * as far as another end. Stages of one run are told apart by their states, and those of several by when the runs were leased, which
 * one clock says. Only where a lease is not known do times of different clocks decide; those that are too close for that are taken for
 * one run's.
 */
export function compareStages(a: Stage, b: Stage): number {
  if (isTerminal(a.state)) return isTerminal(b.state) ? 0 : 1;
  if (isTerminal(b.state)) return -1;
  if (isBeforeRuns(a) || isBeforeRuns(b)) return progressBeforeRuns(a) - progressBeforeRuns(b);
  const isLeaseKnown = a.leasedAt !== undefined && b.leasedAt !== undefined;
  const laterMs = isLeaseKnown ? msBetween(b.leasedAt, a.leasedAt) : msBetween(b.at, a.at);
  const isOtherRun = Math.abs(laterMs) > (isLeaseKnown ? SAME_LEASE_MS : CLOCKS_APART_MS);
  return isOtherRun ? laterMs : IN_RUN[a.state] - IN_RUN[b.state];
}

function isBeforeRuns({ state, leasedAt }: Stage): boolean {
  return (state === 'SUBMITTED' || state === 'QUEUED') && leasedAt === undefined;
}

function progressBeforeRuns(stage: Stage): number {
  if (!isBeforeRuns(stage)) return 2;
  return stage.state === 'QUEUED' ? 1 : 0;
}

/** Where the job stands that this record is of, as answers show it. */
export function stageOf({ state, changedAt, run, reported }: JobRecord): Stage {
  return { state, at: changedAt, leasedAt: reported === undefined ? run?.leasedAt : reported.leasedAt };
}
