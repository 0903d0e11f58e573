import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOUNDS } from './check-answers.js';
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
  /** All that are possible with this Redis, where it is left out. */
  readonly faults?: readonly FaultName[] | undefined;
  /** Job sets that live at the same time. */
  readonly jobSets: number;
  /** The bundle of the ingester. */
  readonly ingester: string;
  /** How long an end may take to be told, in calm. */
  readonly patienceSeconds: number;
}

const QUERY = 'dist/apps/query/main.js';
const INGESTERS = 3;
const QUERIES = 2;
const HISTORIES = 'tmp/chaos';
const SHOWN = 5;

/** `npm run chaos`: runs, checks, prints what was broken; resolves to whether nothing was. */
export async function chaos(options: ChaosOptions): Promise<boolean> {
  const tell = (line: string): void => void process.stdout.write(`${line}\n`);
  const { minutes, seed, redis, faults, jobSets, ingester } = options;
  tell(
    `seed ${seed}, ${minutes} min; again with: npm run chaos -- --minutes ${minutes} --seed ${seed} --redis ${redis}`,
  );
  const bounds = { ...BOUNDS, untilTold: options.patienceSeconds * 1_000 };
  const lastsMs = minutes * 60_000;
  const plan = planOf({ seed, lastsMs, redis, jobSets, ...(faults !== undefined && { faults }) });
  const scripts = { ingester, query: QUERY };
  const { watchBudget } = plan;
  tell(`at most ${watchBudget} watches`);
  const history = await run(plan, {
    ingesters: INGESTERS,
    queries: QUERIES,
    redis,
    watchBudget,
    scripts,
    bounds,
    tell,
  });
  const violations = check(history, bounds);
  tell(summary(history));
  for (const line of inGroups(violations)) tell(line);
  if (violations.length > 0) {
    mkdirSync(HISTORIES, { recursive: true });
    const file = join(HISTORIES, `${seed}.json`);
    writeFileSync(file, JSON.stringify({ plan, history, violations }, null, 1));
    tell(`the whole history: ${file}`);
  }
  return violations.length === 0;
}

function summary({ truth, answers, writes, troubles }: History): string {
  const counts = groupBy(answers, ({ told }) => told.kind);
  const told = Array.from(counts, ([kind, some]) => `${some.length} ${kind}`).join(', ');
  return `${truth.length} jobs, ${answers.length} answers (${told}), ${writes.length} writes, ${troubles.length} faults`;
}

/** A line for each rule that was broken, and some examples. */
function inGroups(violations: readonly Violation[]): string[] {
  if (violations.length === 0) return ['every promise was kept'];
  return Array.from(groupBy(violations, ({ rule }) => rule)).flatMap(([rule, some]) => [
    `BROKEN ${some.length} times: ${rule}`,
    ...some.slice(0, SHOWN).map(({ what }) => `  ${what}`),
  ]);
}
