import type { App, Patch } from '../patched-build.js';
import type { FaultName } from './plan.js';

/** A defect that a run must find, and the plan that exposes it. */
export interface PlantedBug {
  readonly app: App;
  readonly patches: readonly Patch[];
  readonly faults: readonly FaultName[];
  /** Of a plan in which the faults hit at a busy moment. */
  readonly seed: number;
  readonly minutes: number;
  readonly patienceSeconds?: number;
}

const FOLD = 'libs/job-state/src/fold.ts';
const WRITER = 'libs/job-store/src/redis/redis-job-set-writer.ts';
const WRITE = 'libs/job-store/src/scripts/writeJobSet-1.lua';
const SWEEPER = 'libs/subscriptions/src/assignment/sweeper.ts';
const FEED = 'apps/query/src/changes/job-set-feed.ts';
const CHANGES = 'libs/job-store/src/redis/redis-changes.ts';

export const PLANTED_BUGS = {
  'no compare-and-set': {
    app: 'ingester',
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
    app: 'ingester',
    patches: [
      {
        file: WRITER,
        from: 'const [now, revision, unfinished, kept = 0, aheadSince] =',
        // Long enough for it to be seen without the states.
        to: `await this.context.redis.hset(this.meta, 'cursor', cursor);
          await new Promise((resolve) => setTimeout(resolve, 400));
          this.cursor = cursor;
          const [now, revision, unfinished, kept = 0, aheadSince] =`,
      },
    ],
    faults: [],
    seed: 10,
    minutes: 0.08,
  },
  // The fold and the script each keep P1 on their own: both must be broken.
  'the last event wins': {
    app: 'ingester',
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
    app: 'ingester',
    patches: [
      {
        file: SWEEPER,
        from: 'await this.attempt(this.options.workQueue.enqueue(wanted.map(({ key }) => key)));',
        to: '',
      },
    ],
    faults: ['redis lost-work-queue'],
    // Queries have a job set assigned again ten seconds after its first poll, whatever the sweep does: all is over before that.
    seed: 48,
    minutes: 0.12,
    patienceSeconds: 2,
  },
  // A lost notification is harmless by itself: the next one names the revision before it.
  'a lost notification that nobody misses': {
    app: 'query',
    patches: [
      {
        file: FEED,
        from: 'if (isSameLife && revision <= position.revision) return;',
        to: 'if (isSameLife && (revision <= position.revision || (jobs?.length && revision % 4 === 0))) return;',
      },
      {
        file: FEED,
        from: 'if (jobs !== undefined && isSameLife && previous === position.revision) {',
        to: 'if (jobs !== undefined && isSameLife) {',
      },
    ],
    faults: [],
    seed: 1,
    minutes: 0.12,
  },
  'a resume that starts one revision late': {
    app: 'query',
    patches: [
      {
        file: CHANGES,
        from: 'jobs: await this.decodeJobs(key, generation, jobs),',
        to: `jobs: (await this.decodeJobs(key, generation, jobs)).filter(
          ({ revision }, _, all) => after < 0 || revision > Math.min(...all.map((job) => job.revision)),
        ),`,
      },
    ],
    faults: [],
    seed: 1,
    minutes: 0.2,
  },
} as const satisfies Readonly<Record<string, PlantedBug>>;

export type BugName = keyof typeof PLANTED_BUGS;
