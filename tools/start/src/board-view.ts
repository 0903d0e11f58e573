import type { JobSetProgress, Move, StateName } from './job-board.js';

const BAR = 20;
const RECENT = 8;
const SHOWN: readonly StateName[] = [
  'QUEUED',
  'LEASED',
  'PENDING',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
];

/** One line that describes a change of state. */
export function moveLine({ jobSetId, jobId, from, to, reason }: Move): string {
  const why = reason === '' ? '' : `  (${reason.replace(/\s+/g, ' ').trim()})`;
  return `${jobSetId}  ${jobId}  ${from} -> ${to}${why}`;
}

/** The table of job sets with the latest changes below it, in lines of at most `width` characters. */
export function boardLines(
  progress: readonly JobSetProgress[],
  moves: readonly Move[],
  width: number,
): string[] {
  const names = progress.map(({ key }) => `${key.queue}/${key.jobSetId}`);
  const nameWidth = Math.max(7, ...names.map((name) => name.length));
  const header = [
    'JOB SET'.padEnd(nameWidth),
    'PROGRESS'.padEnd(BAR + 2),
    'ENDED'.padStart(9),
    ...SHOWN,
  ].join('  ');
  const rows = progress.map(({ jobs, ended, counts }, i) => {
    const filled = jobs === 0 ? 0 : Math.round((BAR * ended) / jobs);
    return [
      (names[i] ?? '').padEnd(nameWidth),
      `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`,
      `${ended}/${jobs}`.padStart(9),
      ...SHOWN.map((state) => `${counts.get(state) ?? 0}`.padStart(state.length)),
    ].join('  ');
  });
  const recent = moves.slice(-RECENT).map(moveLine);
  return [header, ...rows, '', ...recent].map((line) => line.slice(0, width));
}
