import type { JobSetQuota, NextStep } from '../sync/job-set-quota.js';

/** For specs: reads begin at once, and what comes after one is what a test says, by default a watch. */
export class ScriptedQuota implements JobSetQuota {
  isWatched = true;
  wasForgotten = false;
  step: NextStep = 'watch';

  isForgotten(): Promise<boolean> {
    return Promise.resolve(this.wasForgotten);
  }

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
