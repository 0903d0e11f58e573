import type { JobSetPlan, Next } from './plan.js';

/** For specs: reads begin at once, and what comes after one is what a test says; a watch unless it does. */
export class ScriptedPlan implements JobSetPlan {
  isWatched = true;
  comes: Next = 'watch';

  readMayBegin(): Promise<void> {
    return Promise.resolve();
  }

  next(): Promise<Next> {
    return Promise.resolve(this.comes);
  }

  giveUpWatch(): void {
    this.isWatched = false;
  }

  readAfter(ms: number): number {
    return ms;
  }
}
