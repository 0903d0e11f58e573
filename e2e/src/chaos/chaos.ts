import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOUNDS } from './bounds.js';
import { check } from './check.js';
import { groupBy } from './group-by.js';
import type { History, Violation } from './history.js';
import type { RedisKind } from './chaos-redis.js';
import { planOf, type FaultName } from './plan.js';
import { run } from './run.js';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly redis: RedisKind;
  /** Left out: all that this kind of Redis can have. */
  readonly faults?: readonly FaultName[] | undefined;
  /** Job sets alive at the same time. */
  readonly jobSets: number;
  /** The bundles of the applications. */
  readonly ingester: string;
  readonly query: string;
  /** How long a terminal state may take to be reported while no fault is active. */
  readonly patienceSeconds: number;
}

const INGESTERS = 3;
const QUERIES = 2;
const HISTORIES = 'tmp/chaos';
const SHOWN = 5;

/** `npm run chaos`: runs, checks and prints violations; resolves to whether there were none. */
export async function chaos(options: ChaosOptions): Promise<boolean> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const { minutes, seed, redis, faults, jobSets, ingester, query } = options;
  print(
    `seed ${seed}, ${minutes} min; repeat with: npm run chaos -- --minutes ${minutes} --seed ${seed} --redis ${redis}`,
  );
  const bounds = { ...BOUNDS, untilReported: options.patienceSeconds * 1_000 };
  const lastsMs = minutes * 60_000;
  const plan = planOf({ seed, lastsMs, redis, jobSets, ...(faults !== undefined && { faults }) });
  const { watchBudget } = plan;
  print(`watch budget ${watchBudget}`);
  const history = await run(plan, {
    ingesters: INGESTERS,
    queries: QUERIES,
    redis,
    watchBudget,
    scripts: { ingester, query },
    bounds,
    print,
  });
  const violations = check(history, bounds);
  print(summary(history));
  for (const line of inGroups(violations)) print(line);
  if (violations.length > 0) {
    mkdirSync(HISTORIES, { recursive: true });
    const file = join(HISTORIES, `${seed}.json`);
    writeFileSync(file, JSON.stringify({ plan, history, violations }, null, 1));
    print(`complete history: ${file}`);
  }
  return violations.length === 0;
}

function summary({ truth, answers, watches, waits, writes, disturbances }: History): string {
  const counts = groupBy(answers, ({ result }) => result.kind);
  const result = Array.from(counts, ([kind, some]) => `${some.length} ${kind}`).join(', ');
  const events = watches.reduce((sum, watch) => sum + watch.events.length, 0);
  return [
    `${truth.length} jobs, ${answers.length} answers (${result})`,
    `${events} events in ${watches.length} streams, ${waits.length} waits`,
    `${writes.length} writes, ${disturbances.length} faults`,
  ].join(', ');
}

/** A line for each violated rule, and some examples. */
function inGroups(violations: readonly Violation[]): string[] {
  if (violations.length === 0) return ['all invariants held'];
  return Array.from(groupBy(violations, ({ rule }) => rule)).flatMap(([rule, some]) => [
    `VIOLATED ${some.length} times: ${rule}`,
    ...some.slice(0, SHOWN).map(({ what }) => `  ${what}`),
  ]);
}
