import type { JobSetQuota, NextStep } from '../sync/job-set-quota.js';

/** For specs: reads begin at once, and what comes after one is what a test says, by default a watch. */
export class ScriptedQuota implements JobSetQuota {
  isWatched = true;
  step: NextStep = 'watch';

  admitRead(): Promise<void> {
    return Promise.resolve();
  }

  nextStep(): Promise<NextStep> {
    return Promise.resolve(this.step);
  }

  releaseWatch(): void {
    this.isWatched = false;
  }

  scheduleRead(ms: number): number {
    return ms;
  }
}
