import { JobState } from '@ajs/contracts/api/submit';
import type { ArmadaState } from './armada-state.js';
import type { Fate } from './fate.js';
import { failureOf, jobEvents, type JobRef, type SubmittedJob } from './job-events.js';
import { externalUriOf, armadaJob, type ArmadaJob } from './armada-job.js';

const ENDED: ReadonlySet<JobState> = new Set([
  JobState.SUCCEEDED,
  JobState.FAILED,
  JobState.PREEMPTED,
  JobState.CANCELLED,
  JobState.REJECTED,
]);

/** One job from its submission to its end, one step at a time. */
export class SimulatedJob {
  readonly job: ArmadaJob;
  private readonly steps: (() => void)[];
  private stepsToWait = 0;

  /** Submits the job. */
  constructor(
    private readonly state: ArmadaState,
    ref: JobRef,
    private readonly submitted: SubmittedJob,
    fate: Fate,
    externalJobUri = '',
  ) {
    this.job = armadaJob(ref, { externalJobUri: externalUriOf(submitted.annotations, externalJobUri) });
    this.steps = this.plan(fate);
    state.move(this.job, JobState.QUEUED, jobEvents.submitted(ref, submitted));
  }

  get hasEnded(): boolean {
    return ENDED.has(this.job.state);
  }

  /** Takes the next step, if there is one. */
  advance(): void {
    if (this.stepsToWait > 0) this.stepsToWait--;
    else if (!this.hasEnded) this.steps.shift()?.();
  }

  cancel(reason: string): void {
    if (this.hasEnded) return;
    this.move(JobState.CANCELLED, jobEvents.cancelled(this.job));
    this.job.cancelReason = reason;
  }

  /** A job without a run has nothing to preempt. */
  preempt(reason: string): void {
    const runId = this.job.jobRuns[0]?.runId;
    if (this.hasEnded || runId === undefined) return;
    this.move(JobState.PREEMPTED, jobEvents.preempted(this.job, reason, runId), reason);
  }

  reprioritize(priority: number): void {
    if (!this.hasEnded) this.move(this.job.state, jobEvents.reprioritized(this.job, priority));
  }

  private plan(fate: Fate): (() => void)[] {
    const { job, submitted } = this;
    const run = (runSteps = 0): (() => void)[] => [
      () => this.move(JobState.LEASED, jobEvents.leased(job), ''),
      () => this.move(JobState.PENDING, jobEvents.pending(job, submitted)),
      () => {
        this.move(JobState.RUNNING, jobEvents.running(job, submitted));
        this.stepsToWait = runSteps;
      },
    ];
    const succeed = (): void => this.move(JobState.SUCCEEDED, jobEvents.succeeded(job));
    const fail = (exitCode: number, retryable: boolean): void =>
      this.move(
        retryable ? JobState.QUEUED : JobState.FAILED,
        jobEvents.failed(job, exitCode, retryable),
        failureOf(exitCode),
      );
    switch (fate.kind) {
      case 'succeeds':
        return [...run(fate.runSteps), succeed];
      case 'fails':
        return [...run(fate.runSteps), () => fail(fate.exitCode, false)];
      case 'is-retried':
        return [...run(), () => fail(fate.exitCode, true), ...run(fate.runSteps), succeed];
      case 'runs-on':
        return run();
      case 'is-preempted':
        return [...run(fate.runSteps), () => this.preempt('Preempted by scheduler')];
      case 'is-cancelled':
        return [...run(), () => this.cancel('no longer wanted')];
      case 'is-rejected': {
        const reason = 'job does not fit on any node';
        return [() => this.move(JobState.REJECTED, jobEvents.rejected(job, reason), reason)];
      }
    }
  }

  private move(state: JobState, events: ReturnType<typeof jobEvents.leased>, error?: string): void {
    this.state.move(this.job, state, events, error);
  }
}
