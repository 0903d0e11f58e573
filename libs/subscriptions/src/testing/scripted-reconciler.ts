import { armadaNow } from '@ajs/platform';
import type { JobEnd, JobSetKey, JobId } from '@ajs/job-state';
import type { TerminalStateSource } from '../sync/terminal-state-source.js';
import { Reconciler, type ReconcilerOptions } from '../sync/reconciler.js';

/** For specs: an Armada whose `api.Jobs` says what a test says. */
export class ScriptedTerminalStates implements TerminalStateSource {
  readonly ends = new Map<JobId, JobEnd>();
  /** The ids of each call. */
  readonly calls: (readonly string[])[] = [];
  /** What the next calls reject with, the first first. */
  readonly errors: Error[] = [];
  before: () => Promise<void> = () => Promise.resolve();

  async terminalStatesOf(jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, JobEnd>> {
    this.calls.push(jobIds);
    await this.before();
    const error = this.errors.shift();
    if (error !== undefined) throw error;
    return new Map(Array.from(this.ends).filter(([jobId]) => jobIds.includes(jobId)));
  }
}

export const HOUR = 3_600_000;

/** For specs: a reconciler over such an Armada, and what its observer heard. */
export function scriptedReconciler(more: Partial<ReconcilerOptions> = {}) {
  const armada = new ScriptedTerminalStates();
  const repaired: JobId[] = [];
  const rounds: (readonly [key: JobSetKey, repaired: number, error?: string])[] = [];
  const switchedOff: string[] = [];
  const reconciler = new Reconciler({
    armada,
    observer: {
      repaired: (_, jobIds) => repaired.push(...jobIds),
      roundEnded: (key, repaired, error) =>
        rounds.push(error === undefined ? [key, repaired] : [key, repaired, error.message]),
      switchedOff: (reason) => switchedOff.push(reason),
    },
    unfinishedAfterMs: 6 * HOUR,
    eventRetentionMs: 14 * 24 * HOUR,
    now: armadaNow,
    ...more,
  });
  return { reconciler, armada, repaired, rounds, switchedOff };
}
