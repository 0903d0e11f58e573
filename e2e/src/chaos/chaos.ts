import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './check.js';
import { groupBy } from './group-by.js';
import type { History, Violation } from './history.js';
import { planOf } from './plan.js';
import { run } from './run.js';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
}

/** The built applications. */
export const BUILT = { ingester: 'dist/apps/ingester/main.js', query: 'dist/apps/query/main.js' };
const HISTORIES = 'tmp/chaos';
const SHOWN = 5;

/** `npm run chaos`: runs, checks, prints what was broken; resolves to whether nothing was. */
export async function chaos({ minutes, seed }: ChaosOptions): Promise<boolean> {
  const tell = (line: string): void => console.log(line);
  tell(`seed ${seed}, ${minutes} min; again with: npm run chaos -- --minutes ${minutes} --seed ${seed}`);
  const plan = planOf({ seed, lastsMs: minutes * 60_000 });
  const history = await run(plan, { ingesters: 3, queries: 2, scripts: BUILT, env: {}, tell });
  const violations = check(history);
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
export function inGroups(violations: readonly Violation[]): string[] {
  if (violations.length === 0) return ['every promise was kept'];
  return Array.from(groupBy(violations, ({ rule }) => rule)).flatMap(([rule, some]) => [
    `BROKEN ${some.length} times: ${rule}`,
    ...some.slice(0, SHOWN).map(({ what }) => `  ${what}`),
  ]);
}
