import { cpus } from 'node:os';
import {
  areAnswered,
  judge,
  judgeLoad,
  rowsOf,
  type Column,
  type PollCounts,
  type Sample,
} from './figures.js';

export interface SoakRun {
  readonly minutes: number;
  readonly eventsPerSecond: number;
  readonly pollsPerSecond: number;
  /** ISO 8601 */
  readonly beganAt: string;
  readonly secondsPerSample: number;
  readonly samples: readonly Sample[];
  readonly polls: PollCounts;
  readonly events: number;
  readonly jobSets: number;
}

const ROWS = 30;
/** Caches fill, and the first job sets are deleted: the first part of a run is shown and not judged. */
const WARM_UP = 1 / 3;

const MB = 2 ** 20;

/** The report of a run: what was done, a table over time, and whether all is flat. */
export function report(run: SoakRun, columns: readonly Column[]): { text: string; isFlat: boolean } {
  const perRow = Math.max(1, Math.floor(run.samples.length / ROWS));
  const rows = rowsOf(run.samples, perRow, columns);
  const warm = Math.ceil(rows.length * WARM_UP);
  const judged = judge(rows.slice(warm), columns);
  const loads = judgeLoad(rows.slice(warm), columns);
  const wrong = [
    ...judged.flatMap(({ column, isFlat }) => (isFlat ? [] : [`${column.name} rises`])),
    ...loads.flatMap(({ column, isKept }) => (isKept ? [] : [`${column.name} were not there`])),
    ...(areAnswered(run.polls) ? [] : ['polls were not answered, or late']),
  ];
  const isFlat = wrong.length === 0;
  const rowSeconds = perRow * run.secondsPerSample;
  const minute = (row: number): string => ((row * rowSeconds) / 60).toFixed(1);
  const [cpu] = cpus();
  const text = `# Soak

\`npm run soak\` runs the whole thing for a time at a steady load with churn of job sets, and writes this report. Two ingesters, two
queries, a Redis and a fake Armada, each a process of its own, on one machine with the load generator. A hundred job sets are busy at
any moment; one begins and one ends every 1.2 s. Each lives for 2 minutes, is followed for half a minute after its last poll and
deleted 2 minutes after it, so that what is deleted keeps pace with what comes. One poll of five is of \`api.Jobs\`, the others are
legacy polls. Their latency is what the load generator sees, on cores that all of these processes share: where they are busy, it is
how long polls wait for a core.

## This run

${run.minutes} minutes from ${run.beganAt}, at ${run.eventsPerSecond} events/s and ${run.pollsPerSecond} polls/s, on ${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), Node ${process.versions.node}.
${thousands(run.events)} events in ${thousands(run.jobSets)} job sets; ${thousands(run.polls.polls)} polls, of which ${thousands(run.polls.errors)} brought no state, and ${thousands(run.polls.late)} told that a job had not ended more than 5 s after it had.

**${isFlat ? 'All is flat.' : `Not flat: ${wrong.join('; ')}.`}** Judged is what comes after minute ${minute(warm)} (until then caches fill and nothing is deleted
yet): the rise of a fitted line from there to the end, which may be a tenth of the mean, or for small figures what the table says. The load
must be there all that time, within a tenth: ${loads.map(({ column, mustBe, furthest }) => `${show(furthest, column)} ${column.name} where it was furthest from ${show(mustBe, column)}`).join(', and ')}. Of all polls
of the run one in a thousand may bring no state, and none may be late.

| figure | mean | rise | allowed | |
| --- | ---: | ---: | ---: | --- |
${judged
  .map(
    ({ column, mean, rise, allowed, isFlat }) =>
      `| ${column.name} | ${show(mean, column)} | ${show(rise, column)} | ${show(allowed, column)} | ${isFlat ? 'flat' : '**rises**'} |`,
  )
  .join('\n')}

## Over time

A row sums up ${rowSeconds} s, a sample each ${run.secondsPerSample} s. Heaps are the least of a row (what garbage collection leaves), the ages of states the
greatest, the others means. The age of a state is measured at Redis: now, less the time in the cursor of the busy job set that is
furthest behind; each of them has an event every 50 ms or so.

| minute | ${columns.map(({ name }) => name).join(' | ')} |
| ---: | ${columns.map(() => '---:').join(' | ')} |
${rows.map((row, i) => `| ${minute(i)} | ${row.map((value, c) => show(value, columns[c])).join(' | ')} |`).join('\n')}
`;
  return { text, isFlat };
}

function show(value: number, column: Column | undefined): string {
  if (Number.isNaN(value)) return '';
  if (column?.unit === 'bytes') return `${(value / MB).toFixed(1)} MB`;
  const text = Math.abs(value) < 10 ? value.toFixed(1) : thousands(Math.round(value));
  return column?.unit === undefined || column.unit === '' ? text : `${text} ${column.unit}`;
}

function thousands(value: number): string {
  return value.toLocaleString('en-US');
}
