import { buildPatched, type App, type Patch } from '../patched-build.js';

/** The layouts of both versions. */
export const LAYOUTS = { today: 3, tomorrow: 4 } as const;

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
  { file: FOLD, from: "draft.state = record?.state ?? 'RUNNING';", to: "draft.state = 'PREEMPTING';" },
  { file: FOLD, from: " && event.kind !== 'preempted';", to: ';' },
  {
    file: 'libs/job-state/src/stage.ts',
    from: 'RUNNING: 2, QUEUED: 3,',
    to: 'RUNNING: 2, PREEMPTING: 2.5, QUEUED: 3,',
  },
  {
    file: 'libs/wire-mapping/src/to-job-details.ts',
    from: 'RUNNING: JobRunState.RUN_STATE_RUNNING,',
    to: 'RUNNING: JobRunState.RUN_STATE_RUNNING, PREEMPTING: JobRunState.RUN_STATE_RUNNING,',
  },
  { file: LAYOUT, from: 'reportedLease: 17,', to: 'reportedLease: 17, imagePulledAt: 18,' },
  { file: FOLD, from: 'runningAt: at }, at)', to: 'runningAt: at, imagePulledAt: at }, at)' },
  {
    file: CODEC,
    from: "mark('reportedLease', reported?.leasedAt);",
    to: "mark('reportedLease', reported?.leasedAt); mark('imagePulledAt', run?.imagePulledAt);",
  },
  {
    file: CODEC,
    from: 'if (reported?.leasedAt !== undefined) time(reported.leasedAt);',
    to: `if (reported?.leasedAt !== undefined) time(reported.leasedAt);
  if (run?.imagePulledAt !== undefined) time(run.imagePulledAt);`,
  },
  {
    file: CODEC,
    from: "...(has(mask, 'reportedLease') && { leasedAt: time() }),\n  };",
    to: `...(has(mask, 'reportedLease') && { leasedAt: time() }),\n  };
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
