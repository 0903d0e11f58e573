import type { Patch } from '../patched-build.js';
import type { FaultName } from './plan.js';

/** A defect of the ingester that a run must find, and the plan that exposes it. */
export interface PlantedBug {
  readonly patches: readonly Patch[];
  readonly faults: readonly FaultName[];
  /** Of a plan in which the faults hit at a busy moment. */
  readonly seed: number;
  readonly minutes: number;
}

const FOLD = 'libs/job-state/src/fold.ts';
const WRITER = 'libs/job-store/src/redis/redis-job-set-writer.ts';
const WRITE = 'libs/job-store/src/scripts/writeJobSet-1.lua';
const SWEEPER = 'libs/subscriptions/src/assignment/sweeper.ts';

export const PLANTED_BUGS = {
  'no compare-and-set': {
    patches: [
      {
        file: WRITE,
        from: 'if m[1] ~= ARGV[1] or m[2] ~= ARGV[2] or m[3] ~= ARGV[3] then',
        to: 'if m[1] ~= ARGV[1] then',
      },
    ],
    faults: ['redis older'],
    seed: 1,
    minutes: 0.12,
  },
  'the cursor first': {
    patches: [
      {
        file: WRITER,
        from: 'const [now, revision, unfinished, kept = 0, aheadSince] =',
        // Long enough for a kill to fall into it.
        to: `await this.context.redis.hset(this.meta, 'cursor', cursor);
          await new Promise((resolve) => setTimeout(resolve, 400));
          this.cursor = cursor;
          const [now, revision, unfinished, kept = 0, aheadSince] =`,
      },
    ],
    // A single one might own no job set at that moment.
    faults: ['ingester kill-all'],
    // Many jobs end just before the kill: later events would repair what is lost of jobs that go on.
    seed: 10,
    minutes: 0.08,
  },
  // The fold and the script each keep P1 on their own: both must be broken.
  'the last event wins': {
    patches: [
      { file: FOLD, from: 'if (isTerminal(record.state)) return record;', to: '' },
      {
        file: WRITE,
        from: 'if was and was >= TERMINAL and was % STATE ~= string.byte(record) % STATE then',
        to: 'if false then',
      },
    ],
    faults: [],
    seed: 1,
    minutes: 0.12,
  },
  'a lost work queue without a sweep': {
    patches: [
      {
        file: SWEEPER,
        from: 'await this.options.workQueue.enqueue(wanted.map(({ key }) => key)).catch(this.options.onError);',
        to: '',
      },
    ],
    faults: ['redis lost-work-queue'],
    seed: 1,
    minutes: 0.12,
  },
} as const satisfies Readonly<Record<string, PlantedBug>>;

export type BugName = keyof typeof PLANTED_BUGS;
