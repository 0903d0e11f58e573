import { setTimeout as sleep } from 'node:timers/promises';
import { msBetween } from '@ajs/job-state';
import { TokenBucket, monotonicNow } from '@ajs/platform';
import type { Answer, Comparison, Finding, JobRef } from './comparison.js';

/** Polls that have no answer yet, of each side. */
const MOST_AT_ONCE = 50;
/** From one poll of a job to the next, at least. */
const ROUND_MS = 1_000;

export interface CompareOptions {
  readonly comparison: Comparison;
  readonly old: { answer(ref: JobRef): Promise<Answer> };
  readonly new: { answer(ref: JobRef): Promise<Answer> };
  /** The jobs to compare, asked for again in each round. */
  readonly jobs: () => Promise<readonly JobRef[]>;
  /** Polls of each side. */
  readonly perSecond: number;
  readonly onFinding: (finding: Finding) => void;
}

export interface Compared {
  /** The jobs of the last round. */
  readonly refs: readonly JobRef[];
  /** Of each side. */
  readonly polls: number;
}

/** Polls both sides, job by job and round by round, until all jobs are settled or the signal says so. */
export async function compare(options: CompareOptions, signal: AbortSignal): Promise<Compared> {
  const { comparison } = options;
  const rate = new TokenBucket(() => ({ perSecond: options.perSecond, burst: 1 }), monotonicNow);
  const running = new Set<Promise<void>>();
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal }).catch(() => undefined);
  let refs: readonly JobRef[] = [];
  let polls = 0;
  while (!hasEnded(signal)) {
    const beganAt = monotonicNow();
    refs = await options.jobs();
    const open = refs.filter((ref) => !comparison.isSettled(ref));
    if (refs.length > 0 && open.length === 0) break;
    for (const ref of open) {
      while (!hasEnded(signal) && !rate.take()) await pause(rate.msUntil());
      if (running.size >= MOST_AT_ONCE) await Promise.race(running);
      if (hasEnded(signal)) break;
      polls++;
      const poll = pollBoth(options, ref).finally(() => running.delete(poll));
      running.add(poll);
    }
    await Promise.all(running);
    await pause(Math.max(0, ROUND_MS - msBetween(beganAt, monotonicNow())));
  }
  await Promise.all(running);
  return { refs, polls };
}

async function pollBoth(options: CompareOptions, ref: JobRef): Promise<void> {
  const [old, now] = await Promise.all([options.old.answer(ref), options.new.answer(ref)]);
  const finding = options.comparison.observe(ref, old, now, monotonicNow());
  if (finding !== undefined) options.onFinding(finding);
}

/** For the compiler `signal.aborted` itself stays what it was when it was looked at first. */
const hasEnded = ({ aborted }: AbortSignal): boolean => aborted;
