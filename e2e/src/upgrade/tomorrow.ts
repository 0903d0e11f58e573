import { buildPatched, type App, type Patch } from '../patched-build.js';

/** The layouts of both versions. */
export const LAYOUTS = { today: 2, tomorrow: 3 } as const;

const LAYOUT = 'libs/job-store/src/codec/record-layout.ts';
const CODEC = 'libs/job-store/src/codec/record-codec.ts';
const FOLD = 'libs/job-state/src/fold.ts';

/** A layout with one more job state, which lasts from a preemption to the end of the run, and one more field, set when a run begins. */
const PATCHES: readonly Patch[] = [
  {
    file: LAYOUT,
    from: `export const LAYOUT = ${LAYOUTS.today};`,
    to: `export const LAYOUT = ${LAYOUTS.tomorrow};`,
  },
  {
    file: 'libs/job-state/src/job-states.ts',
    from: '} as const satisfies Readonly<Record<string, StateTraits>>;',
    to: `PREEMPTING: { number: 11, terminal: false, failure: false, api: 'RUNNING', legacy: 'RUNNING' },
} as const;`,
  },
  { file: FOLD, from: "state: record?.state ?? 'RUNNING',", to: "state: 'PREEMPTING'," },
  {
    file: 'libs/wire-mapping/src/to-job-details.ts',
    from: 'RUNNING: JobRunState.RUN_STATE_RUNNING,',
    to: 'RUNNING: JobRunState.RUN_STATE_RUNNING, PREEMPTING: JobRunState.RUN_STATE_RUNNING,',
  },
  { file: LAYOUT, from: 'outcome: 15,', to: 'outcome: 15, imagePulledAt: 16,' },
  { file: FOLD, from: '{ runningAt: at }', to: '{ runningAt: at, imagePulledAt: at }' },
  {
    file: CODEC,
    from: "mark('outcome', run?.outcome);",
    to: "mark('outcome', run?.outcome); mark('imagePulledAt', run?.imagePulledAt);",
  },
  {
    file: CODEC,
    from: 'if (run?.outcome !== undefined) writer.byte(OUTCOMES[run.outcome]);',
    to: `if (run?.outcome !== undefined) writer.byte(OUTCOMES[run.outcome]);
  if (run?.imagePulledAt !== undefined) time(run.imagePulledAt);`,
  },
  {
    file: CODEC,
    from: "if (has(mask, 'outcome')) Object.assign(run, outcomeOf(reader.byte()));",
    to: `if (has(mask, 'outcome')) Object.assign(run, outcomeOf(reader.byte()));
  if (has(mask, 'imagePulledAt')) run.imagePulledAt = time();`,
  },
];

/** Bundles of the next version. */
export async function buildTomorrow(): Promise<Readonly<Record<App, string>>> {
  const [ingester, query] = await Promise.all([
    buildPatched('ingester', 'tomorrow', PATCHES),
    buildPatched('query', 'tomorrow', PATCHES),
  ]);
  return { ingester, query };
}
