import { buildPatched, type App, type Patch } from '../patched-build.js';

/** The layouts of both versions. */
export const LAYOUTS = { today: 4, tomorrow: 5 } as const;

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
  { file: LAYOUT, from: 'failedRuns: 18,', to: 'failedRuns: 18, imagePulledAt: 19,' },
  { file: FOLD, from: 'runningAt: at }, at)', to: 'runningAt: at, imagePulledAt: at }, at)' },
  {
    file: CODEC,
    from: 'if (record.failedRuns !== undefined) mask |= 1 << FIELD.failedRuns;',
    to: `if (record.failedRuns !== undefined) mask |= 1 << FIELD.failedRuns;
  if (run.imagePulledAt !== undefined) mask |= 1 << FIELD.imagePulledAt;`,
  },
  {
    file: CODEC,
    from: 'if (record.failedRuns !== undefined) writer.unsigned(record.failedRuns);',
    to: `if (record.failedRuns !== undefined) writer.unsigned(record.failedRuns);
  if (run.imagePulledAt !== undefined) writeTime(writer, run.imagePulledAt, reported?.leasedAt ?? at);`,
  },
  {
    file: CODEC,
    from: "const failedRuns = has(mask, 'failedRuns') && reader.unsigned();",
    to: `const failedRuns = has(mask, 'failedRuns') && reader.unsigned();
  if (has(mask, 'imagePulledAt')) run.imagePulledAt = time();`,
  },
];

/**
 * Bundles of the next version.
 *
 * @param user of these bundles: each has its own, since another may build them at the same time
 */
export async function buildTomorrow(user: string): Promise<Readonly<Record<App, string>>> {
  const [ingester, query] = await Promise.all([
    buildPatched('ingester', `tomorrow for ${user}`, PATCHES),
    buildPatched('query', `tomorrow for ${user}`, PATCHES),
  ]);
  return { ingester, query };
}
