import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import type { FaultName } from './plan.js';

const ROOT = join(import.meta.dirname, '../../..');

/** Text of one file, replaced by other text. */
interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A defect that the suite must find, and what brings it to light. */
export interface PlantedBug {
  readonly changes: readonly Change[];
  readonly faults: readonly FaultName[];
  /** Its plan is one in which the faults come when much is about to happen. */
  readonly seed: number;
  readonly minutes: number;
}

const FOLD = 'libs/job-state/src/fold.ts';
const SINK = 'libs/job-store/src/redis/redis-sink.ts';
const WRITE = 'libs/job-store/src/scripts/writeJobSet-1.lua';
const SWEEPER = 'libs/subscriptions/src/assignment/sweeper.ts';

export const PLANTED_BUGS = {
  'no compare-and-set': {
    changes: [
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
    changes: [
      {
        file: SINK,
        from: 'const [now, revision, unfinished, kept = 0] =',
        // For so long that a kill falls into it, whenever it comes.
        to: `await this.shared.redis.hset(this.meta, 'cursor', cursor);
          await new Promise((resolve) => setTimeout(resolve, 400));
          this.cursor = cursor;
          const [now, revision, unfinished, kept = 0] =`,
      },
    ],
    // One of several might hold no job set at that moment.
    faults: ['ingester kill-all'],
    // Many jobs end in the moment before: what is lost of others, later events make good.
    seed: 10,
    minutes: 0.08,
  },
  // The fold and the script that writes each keep P1 alone: one without the other harms nobody.
  'the last event wins': {
    changes: [
      { file: FOLD, from: 'if (isTerminal(record.state)) return record;', to: '' },
      {
        file: WRITE,
        from: 'if was and was >= TERMINAL and was % STATE ~= is % STATE then',
        to: 'if false then',
      },
    ],
    faults: [],
    seed: 1,
    minutes: 0.12,
  },
  'a lost hint without a sweep': {
    changes: [
      {
        file: SWEEPER,
        from: 'await this.options.workQueue.hint(wanted.map(({ key }) => key)).catch(this.options.onError);',
        to: '',
      },
    ],
    faults: ['redis lost-hints'],
    seed: 1,
    minutes: 0.12,
  },
} as const satisfies Readonly<Record<string, PlantedBug>>;

export type BugName = keyof typeof PLANTED_BUGS;

/** Bundles the ingester as tools/build.mjs does, with a bug in it; gives the bundle. Rejects where the text to replace is not there. */
export async function plant(name: BugName): Promise<string> {
  const outfile = join(ROOT, 'tmp/chaos', name.replaceAll(' ', '-'), 'ingester.js');
  const changes: readonly Change[] = PLANTED_BUGS[name].changes;
  const replaced = new Set<Change>();
  const plugin: Plugin = {
    name: 'plant',
    setup: (bundling) =>
      bundling.onLoad({ filter: /\.(ts|lua)$/ }, ({ path }) => {
        const here = changes.filter(({ file }) => path === join(ROOT, file));
        if (here.length === 0) return undefined;
        let contents = readFileSync(path, 'utf8');
        for (const change of here) {
          if (contents.split(change.from).length !== 2) {
            throw new Error(
              `"${name}" cannot be planted: ${change.file} does not hold "${change.from}" once`,
            );
          }
          contents = contents.replace(change.from, () => change.to);
          replaced.add(change);
        }
        return { contents, loader: path.endsWith('.lua') ? 'text' : 'ts' };
      }),
  };
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['apps/ingester/src/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    loader: { '.lua': 'text' },
    tsconfig: 'tsconfig.base.json',
    logLevel: 'silent',
    plugins: [plugin],
  });
  if (replaced.size < changes.length)
    throw new Error(`"${name}" cannot be planted: a file is not in the bundle`);
  return outfile;
}
