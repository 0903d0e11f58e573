import type { JobSetPlan, Next } from './plan.js';

/** For specs: reads begin at once, and what comes after one is what a test says; a watch unless it does. */
export class ScriptedPlan implements JobSetPlan {
  isWatched = true;
  comes: Next = 'watch';
  readonly asked: boolean[] = [];

  readMayBegin(asked: boolean): Promise<void> {
    this.asked.push(asked);
    return Promise.resolve();
  }

  next(): Promise<Next> {
    return Promise.resolve(this.comes);
  }

  readAfter(ms: number): number {
    return ms;
  }
}
