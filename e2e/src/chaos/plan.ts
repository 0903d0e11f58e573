import type { JobSetKey } from '@ajs/job-state';
import { seededRandom } from '@ajs/testing';
import { jobIdFor } from '../job-ids.js';
import type { RedisKind } from './chaos-redis.js';
import { between, lifeOf, oneOf, type Random, type Step } from './job-lives.js';

/** How a job set is polled: all the time, now and then, or when it begins and then only at the very end. */
export type Polled = 'often' | 'seldom' | 'at-both-ends';

export interface PlannedJobSet {
  readonly key: JobSetKey;
  readonly polled: Polled;
  /** From when on it is polled. Milliseconds after the beginning, as all times of a plan. */
  readonly from: number;
  readonly jobIds: readonly string[];
}

export interface PlannedStep {
  readonly at: number;
  readonly key: JobSetKey;
  readonly jobId: string;
  readonly messages: Step;
}

export const FAULTS = {
  ingester: ['kill', 'kill-all', 'stop', 'freeze'],
  query: ['kill', 'stop', 'freeze'],
  redis: ['restart', 'pause', 'older', 'empty', 'cut', 'lost-hints', 'fail-over', 'slots-moved'],
  armada: [
    'refusing',
    'reset',
    'silent',
    'errors',
    'slow',
    'hanging',
    'restart',
    'duplicates',
    'retention',
    'unknown-queue',
    'denied',
  ],
} as const;

export type Part = keyof typeof FAULTS;
export type FaultName = { [P in Part]: `${P} ${(typeof FAULTS)[P][number]}` }[Part];

export const ALL_FAULTS = (Object.keys(FAULTS) as Part[]).flatMap((part) =>
  FAULTS[part].map((kind) => `${part} ${kind}` as FaultName),
);

/** Which faults of Redis are possible where. */
const REDIS_FAULTS: Readonly<Record<RedisKind, readonly FaultName[]>> = {
  single: ['redis restart', 'redis pause', 'redis older', 'redis empty', 'redis cut', 'redis lost-hints'],
  sentinel: ['redis fail-over'],
  cluster: ['redis fail-over', 'redis slots-moved'],
};

/** Whether such a Redis can have this fault; the faults of all else do not depend on it. */
export function isPossible(fault: FaultName, redis: RedisKind): boolean {
  return !fault.startsWith('redis ') || REDIS_FAULTS[redis].includes(fault);
}

export interface PlannedFault {
  readonly name: FaultName;
  readonly at: number;
  /** How long it lasts. */
  readonly lasts: number;
  /** Which of several it befalls: from 0 (included) to 1 (excluded). */
  readonly which: number;
}

export interface Plan {
  readonly seed: number;
  readonly lasts: number;
  readonly jobSets: readonly PlannedJobSet[];
  readonly steps: readonly PlannedStep[];
  /** One after the other for each part: what befalls one thing never overlaps. */
  readonly faults: readonly PlannedFault[];
  /** Watches that all ingesters together may have open. */
  readonly watchBudget: number;
}

export interface PlanOptions {
  readonly seed: number;
  readonly lastsMs: number;
  readonly redis?: RedisKind;
  /** All that are possible with this Redis, unless it says otherwise. */
  readonly faults?: readonly FaultName[];
  /** Job sets that live at the same time, about. */
  readonly jobSets?: number;
}

export const QUEUE = 'chaos';
const JOB_SET_LIVES = [8_000, 30_000] as const;
const JOBS = [4, 12] as const;
const FIRST_FAULT_MS = 2_500;
const GAPS = [500, 6_000] as const;
/** A replica that becomes the master may lack what the old one had acknowledged last. */
export const LOSE_WRITES: ReadonlySet<FaultName> = new Set(['redis older', 'redis empty', 'redis fail-over']);
/** But for the first, in this part of a run: what comes after is there to see whether demand is kept that nobody renews. */
const LOSSES_UNTIL = 0.6;
/** Few enough that most job sets are read on a schedule, and more than there are. */
const WATCH_BUDGETS = [4, 500] as const;

/** Milliseconds; from longer than anything notices to shorter. */
const LASTS: Readonly<Partial<Record<FaultName, readonly [number, number]>>> = {
  'ingester kill': [0, 2_000],
  'ingester kill-all': [0, 2_000],
  'ingester freeze': [3_500, 8_000],
  'query kill': [0, 2_000],
  'query freeze': [500, 3_000],
  'redis restart': [0, 3_000],
  'redis pause': [500, 6_000],
  'redis older': [1_000, 5_000],
  'redis cut': [500, 5_000],
  'redis fail-over': [5_000, 10_000],
  'armada refusing': [500, 6_000],
  'armada silent': [1_000, 12_000],
  'armada errors': [500, 6_000],
  'armada slow': [1_000, 6_000],
  'armada hanging': [1_000, 12_000],
  'armada unknown-queue': [500, 8_000],
  'armada denied': [500, 5_000],
};

/** Everything that a run does, from the seed alone. */
export function planOf(options: PlanOptions): Plan {
  const { seed, lastsMs, redis = 'single', jobSets = 12 } = options;
  const faults = options.faults ?? ALL_FAULTS.filter((fault) => isPossible(fault, redis));
  const random = seededRandom(seed);
  const planned: PlannedJobSet[] = [];
  const steps: PlannedStep[] = [];
  for (let n = 0; n < jobSets; n++) {
    // One job set after the other in each of so many places, until time is over.
    let from = between(random, 0, 1_500);
    for (let life = 0; from < lastsMs * 0.7; life++) {
      const lasts = Math.min(between(random, ...JOB_SET_LIVES), lastsMs - from);
      const key = { queue: QUEUE, jobSetId: `set-${n}-${life}` };
      const polled = (['often', 'seldom', 'at-both-ends'] as const)[n % 3] ?? 'often';
      const jobIds = Array.from({ length: between(random, ...JOBS) }, (_, job) =>
        jobIdFor(`${seed} ${key.jobSetId} ${job}`),
      );
      planned.push({ key, polled, from, jobIds });
      for (const jobId of jobIds) steps.push(...stepsOf({ ...key, jobId }, key, from, lasts, random));
      from += lasts + between(random, 0, 2_000);
    }
  }
  steps.sort((a, b) => a.at - b.at);
  return {
    seed,
    lasts: lastsMs,
    jobSets: planned,
    steps,
    faults: faultsOf(faults, lastsMs, random),
    watchBudget: oneOf(random, WATCH_BUDGETS),
  };
}

function stepsOf(
  ref: JobSetKey & { readonly jobId: string },
  key: JobSetKey,
  from: number,
  lasts: number,
  random: Random,
): PlannedStep[] {
  const life = lifeOf(ref, random);
  const times = life.map(() => from + Math.floor(random() * lasts)).sort((a, b) => a - b);
  return life.map((messages, i) => ({ at: times[i] ?? from, key, jobId: ref.jobId, messages }));
}

function faultsOf(names: readonly FaultName[], lastsMs: number, random: Random): PlannedFault[] {
  const planned: PlannedFault[] = [];
  for (const part of Object.keys(FAULTS) as Part[]) {
    const [first, ...others] = names.filter((name) => name.startsWith(`${part} `));
    if (first === undefined) continue;
    let at = FIRST_FAULT_MS + between(random, 0, 2_000);
    while (at < lastsMs) {
      const name = oneOf(random, [first, ...others]);
      const lasts = Math.min(between(random, ...(LASTS[name] ?? [0, 0])), lastsMs - at);
      const fault = { name, at, lasts, which: random() };
      const isFirst = !planned.some((other) => other.name.startsWith(`${part} `));
      if (isFirst || at + lasts <= lastsMs * LOSSES_UNTIL || !LOSE_WRITES.has(name)) planned.push(fault);
      at += lasts + between(random, ...GAPS);
    }
  }
  return planned.sort((a, b) => a.at - b.at);
}
