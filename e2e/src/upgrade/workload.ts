import { JobState } from '@ajs/contracts/api/submit';
import { armadaJob, jobEvents, type ArmadaJob, type FakeArmada, type JobRef } from '@ajs/testing';
import { jobIdFor } from '../job-ids.js';
import { JOB, QUEUE } from '../traffic.js';

/** What both APIs must answer, whichever version runs. */
interface Truth {
  readonly legacy: string;
  readonly api: JobState;
}

const RUNNING: Truth = { legacy: 'RUNNING', api: JobState.RUNNING };
const SUCCEEDED: Truth = { legacy: 'SUCCEEDED', api: JobState.SUCCEEDED };
const PREEMPTED: Truth = { legacy: 'FAILED', api: JobState.PREEMPTED };

/** A job that Armada has, after the latest step. */
export interface WorkloadJob {
  readonly ref: JobRef;
  readonly truth: Truth;
  /** It has been preempted and its run has not ended: the next version has a state of its own for that. */
  readonly isPreempting: boolean;
  /** What it was before the latest step, if that changed it. */
  readonly before?: Pick<WorkloadJob, 'truth' | 'isPreempting'>;
  readonly isNew: boolean;
}

/** Jobs that begin to run, are preempted and end, step by step, in one job set from the beginning and in a new one for each step. */
export class Workload {
  private readonly known = new Map<string, { readonly armada: ArmadaJob; job: WorkloadJob }>();
  private steps = 0;

  constructor(private readonly armada: FakeArmada) {
    armada.state.queues.add(QUEUE);
  }

  get jobs(): readonly WorkloadJob[] {
    return Array.from(this.known.values(), ({ job }) => job);
  }

  step(): void {
    const n = this.steps++;
    for (const entry of this.known.values()) {
      const { ref, truth, isPreempting } = entry.job;
      entry.job = { ref, truth, isPreempting, isNew: false };
    }
    for (const jobSetId of ['first', `set-${n}`]) {
      this.move(refOf(jobSetId, 'runs', n), RUNNING, (ref) => jobEvents.running(ref, JOB));
      this.move(refOf(jobSetId, 'is preempted', n), RUNNING, preempting, true);
    }
    if (n === 0) return;
    for (const jobSetId of ['first', `set-${n - 1}`]) {
      this.move(refOf(jobSetId, 'runs', n - 1), SUCCEEDED, (ref) => jobEvents.succeeded(ref));
      this.move(refOf(jobSetId, 'is preempted', n - 1), PREEMPTED, runEnds);
    }
  }

  private move(
    ref: JobRef,
    truth: Truth,
    events: (ref: JobRef) => Parameters<FakeArmada['state']['move']>[2],
    isPreempting = false,
  ): void {
    const entry = this.known.get(ref.jobId);
    const armada = entry?.armada ?? armadaJob(ref);
    const changed = { ref, truth, isPreempting, isNew: entry === undefined };
    this.known.set(ref.jobId, { armada, job: { ...changed, ...(entry && { before: entry.job }) } });
    this.armada.state.move(armada, truth.api, events(ref));
  }
}

const refOf = (jobSetId: string, what: string, step: number): JobRef => ({
  queue: QUEUE,
  jobSetId,
  jobId: jobIdFor(`${jobSetId} ${what} ${step}`),
});

const preemption = (ref: JobRef) => jobEvents.preempted(ref, 'Preempted by a better job');
const preempting = (ref: JobRef) => [...jobEvents.running(ref, JOB), ...preemption(ref).slice(0, -1)];
const runEnds = (ref: JobRef) => preemption(ref).slice(-1);
