import type { JobSetQuota, NextStep } from '../sync/job-set-quota.js';

/** For specs: reads begin at once, and what comes after one is what a test says; a watch unless it does. */
export class ScriptedQuota implements JobSetQuota {
  isWatched = true;
  comes: NextStep = 'watch';

  admitRead(): Promise<void> {
    return Promise.resolve();
  }

  nextStep(): Promise<NextStep> {
    return Promise.resolve(this.comes);
  }

  releaseWatch(): void {
    this.isWatched = false;
  }

  scheduleRead(ms: number): number {
    return ms;
  }
}
