import { JobState } from '@ajs/contracts/api/submit';
import type { ArmadaState, KnownJob } from './armada-state.js';
import { failureOf, jobEvents, type JobRef, type SubmittedJob } from './job-events.js';

/** What becomes of a job; with `runSteps` it goes on running for so many steps before it ends. */
export type Fate =
  | { readonly kind: 'succeeds'; readonly runSteps?: number }
  | { readonly kind: 'fails'; readonly exitCode: number; readonly runSteps?: number }
  /** Its first run fails, the second succeeds. */
  | { readonly kind: 'is-retried'; readonly exitCode: number }
  | { readonly kind: 'is-preempted' }
  | { readonly kind: 'is-cancelled' }
  | { readonly kind: 'is-rejected' };

const ENDED: ReadonlySet<JobState> = new Set([
  JobState.SUCCEEDED,
  JobState.FAILED,
  JobState.PREEMPTED,
  JobState.CANCELLED,
  JobState.REJECTED,
]);

/** One job from its submission to its end, a step at a time. */
export class JobLife {
  readonly job: KnownJob;
  private readonly steps: (() => void)[];

  /** Submits the job. */
  constructor(
    private readonly state: ArmadaState,
    ref: JobRef,
    private readonly submitted: SubmittedJob,
    fate: Fate,
  ) {
    this.job = { ...ref, state: JobState.QUEUED, error: '' };
    this.steps = this.plan(fate);
    state.move(this.job, JobState.QUEUED, jobEvents.submitted(ref, submitted));
  }

  get hasEnded(): boolean {
    return ENDED.has(this.job.state);
  }

  /** Takes the next step, if there is one. */
  advance(): void {
    if (!this.hasEnded) this.steps.shift()?.();
  }

  cancel(reason: string): void {
    if (!this.hasEnded) this.move(JobState.CANCELLED, jobEvents.cancelled(this.job, reason));
  }

  private plan(fate: Fate): (() => void)[] {
    const { job, submitted } = this;
    const run = [
      () => this.move(JobState.LEASED, jobEvents.leased(job)),
      () => this.move(JobState.PENDING, jobEvents.pending(job, submitted)),
      () => this.move(JobState.RUNNING, jobEvents.running(job, submitted)),
    ];
    const goOn = ({ runSteps = 0 }): (() => void)[] =>
      Array.from({ length: runSteps }, () => () => undefined);
    const succeed = (): void => this.move(JobState.SUCCEEDED, jobEvents.succeeded(job));
    switch (fate.kind) {
      case 'succeeds':
        return [...run, ...goOn(fate), succeed];
      case 'fails': {
        const { exitCode } = fate;
        return [
          ...run,
          ...goOn(fate),
          () => this.move(JobState.FAILED, jobEvents.failed(job, exitCode, false), failureOf(exitCode)),
        ];
      }
      case 'is-retried': {
        const { exitCode } = fate;
        const fail = (): void =>
          this.move(JobState.QUEUED, jobEvents.failed(job, exitCode, true), failureOf(exitCode));
        return [...run, fail, ...run, succeed];
      }
      case 'is-preempted': {
        const reason = 'Preempted by scheduler';
        return [...run, () => this.move(JobState.PREEMPTED, jobEvents.preempted(job, reason), reason)];
      }
      case 'is-cancelled':
        return [...run, () => this.cancel('no longer wanted')];
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
