import type { JobSetKey, JobId } from '@ajs/job-state';
import { seededRandom } from '@ajs/testing';
import { jobIdFor } from '../job-ids.js';
import type { RedisKind } from './chaos-redis.js';
import { between, lifeOf, oneOf, type Random, type Step } from './job-lives.js';

/** How a job set is polled: all the time, now and then, or only at its beginning and at the very end. */
export type Polled = 'often' | 'seldom' | 'at-both-ends';

export interface PlannedJobSet {
  readonly key: JobSetKey;
  readonly polled: Polled;
  /** When polling begins. Milliseconds after the start of the run, like all times of a plan. */
  readonly from: number;
  readonly jobIds: readonly JobId[];
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
  redis: ['restart', 'pause', 'older', 'empty', 'cut', 'lost-work-queue', 'fail-over', 'slots-moved'],
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
    'events-behind',
    'jobs-api-behind',
  ],
} as const;

export type Part = keyof typeof FAULTS;
export type FaultName = { [P in Part]: `${P} ${(typeof FAULTS)[P][number]}` }[Part];

export const ALL_FAULTS = (Object.keys(FAULTS) as Part[]).flatMap((part) =>
  FAULTS[part].map((kind) => `${part} ${kind}` as FaultName),
);

/** The faults that each kind of Redis can have. */
const REDIS_FAULTS: Readonly<Record<RedisKind, readonly FaultName[]>> = {
  single: [
    'redis restart',
    'redis pause',
    'redis older',
    'redis empty',
    'redis cut',
    'redis lost-work-queue',
  ],
  sentinel: ['redis fail-over'],
  cluster: ['redis fail-over', 'redis slots-moved'],
};

/** Whether a fault can happen with this kind of Redis. */
export function isPossible(fault: FaultName, redis: RedisKind): boolean {
  return !fault.startsWith('redis ') || REDIS_FAULTS[redis].includes(fault);
}

export interface PlannedFault {
  readonly name: FaultName;
  readonly at: number;
  /** Milliseconds. */
  readonly lasts: number;
  /** Which of several it hits: from 0 (included) to 1 (excluded). */
  readonly which: number;
}

export interface Plan {
  readonly seed: number;
  readonly lasts: number;
  readonly jobSets: readonly PlannedJobSet[];
  readonly steps: readonly PlannedStep[];
  /** Faults of one part never overlap. */
  readonly faults: readonly PlannedFault[];
  /** Of all ingesters together. */
  readonly watchBudget: number;
}

export interface PlanOptions {
  readonly seed: number;
  readonly lastsMs: number;
  readonly redis?: RedisKind;
  /** Left out: all that this kind of Redis can have. */
  readonly faults?: readonly FaultName[];
  /** Job sets alive at the same time, approximately. */
  readonly jobSets?: number;
}

export const QUEUE = 'chaos';
const JOB_SET_LIVES = [8_000, 30_000] as const;
const JOBS = [4, 12] as const;
const FIRST_FAULT_MS = 2_500;
const GAPS = [500, 6_000] as const;
/** After a fail-over the new master may lack the last acknowledged writes. */
export const LOSE_WRITES: ReadonlySet<FaultName> = new Set(['redis older', 'redis empty', 'redis fail-over']);
/** The part of a run in which Redis may lose writes, but for the first fault: the rest shows whether interest lasts without renewal. */
const LOSSES_UNTIL = 0.6;
/** So few that most job sets are read on a schedule, or more than there are job sets. */
const WATCH_BUDGETS = [4, 500] as const;

/** Milliseconds: from too short to be noticed to longer than every time-out. */
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
  'armada events-behind': [1_000, 12_000],
  'armada jobs-api-behind': [1_000, 12_000],
};

/** Everything that a run does, derived from the seed alone. */
export function planOf(options: PlanOptions): Plan {
  const { seed, lastsMs, redis = 'single', jobSets = 12 } = options;
  const faults = options.faults ?? ALL_FAULTS.filter((fault) => isPossible(fault, redis));
  const random = seededRandom(seed);
  const planned: PlannedJobSet[] = [];
  const steps: PlannedStep[] = [];
  for (let n = 0; n < jobSets; n++) {
    // In each of so many places one job set follows the other until the time is over.
    let from = between(random, 0, 1_500);
    for (let life = 0; from < lastsMs * 0.7; life++) {
      const lasts = Math.min(between(random, ...JOB_SET_LIVES), lastsMs - from);
      const key = { queue: QUEUE, jobSetId: `set-${n}-${life}` };
      const polled = (['often', 'seldom', 'at-both-ends'] as const)[n % 3] ?? 'often';
      const jobIds = Array.from({ length: between(random, ...JOBS) }, (_, job) =>
        jobIdFor(`${seed} ${key.jobSetId} ${job}`, job % 2 === 0 ? 'past' : 'future'),
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
