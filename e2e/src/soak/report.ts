import { cpus } from 'node:os';
import { RESIDENT_PART } from '../container/container.js';
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
  /** Where the applications ran in containers. */
  readonly containers?: SoakContainers | undefined;
}

export interface SoakContainers {
  /** The memory of each. */
  readonly mib: number;
  /** Whether the kernel held them to it. */
  readonly areLimited: boolean;
  /** The most resident memory of each application, in bytes. */
  readonly peakRss: ReadonlyMap<string, number>;
}

const ROWS = 30;
/** The first part of a run, in which caches fill and nothing is deleted yet, is shown but not judged. */
const WARM_UP = 1 / 3;

const MB = 2 ** 20;

/** The report of a run: the load, a table over time, and whether all is flat. */
export function report(run: SoakRun, columns: readonly Column[]): { text: string; isFlat: boolean } {
  const perRow = Math.max(1, Math.floor(run.samples.length / ROWS));
  const rows = rowsOf(run.samples, perRow, columns);
  const warm = Math.ceil(rows.length * WARM_UP);
  const judged = judge(rows.slice(warm), columns);
  const loads = judgeLoad(rows.slice(warm), columns);
  const wrong = [
    ...judged.flatMap(({ column, isFlat }) => (isFlat ? [] : [`${column.name} rises`])),
    ...loads.flatMap(({ column, isKept }) => (isKept ? [] : [`${column.name} were not kept up`])),
    ...tooLarge(run.containers).map(([name, bytes]) => `${name} had ${Math.round(bytes / MB)} MB resident`),
    ...(areAnswered(run.polls) ? [] : ['polls were not answered, or late']),
  ];
  const isFlat = wrong.length === 0;
  const rowSeconds = perRow * run.secondsPerSample;
  const minute = (row: number): string => ((row * rowSeconds) / 60).toFixed(1);
  const [cpu] = cpus();
  const text = `# Soak

\`npm run soak\` runs the whole service at a steady load with churn of job sets, and writes this report. Two ingesters, two
queries, a Redis and a fake Armada, each a process of its own, on one machine with the load generator. A hundred job sets are busy at
any moment; one begins and one ends every 1.2 s. Each lives for 2 minutes, is followed for half a minute after its last poll and
deleted 2 minutes after it, so that deletions keep pace with new job sets. One poll in five is of \`api.Jobs\`, the others are
legacy polls. Their latency is measured by the load generator, on cores that all of these processes share: on busy cores it is mostly
the time that polls wait for a core.

## This run

${run.minutes} minutes from ${run.beganAt}, at ${run.eventsPerSecond} events/s and ${run.pollsPerSecond} polls/s, on ${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), Node ${process.versions.node}.${aboutContainers(run.containers)}
${thousands(run.events)} events in ${thousands(run.jobSets)} job sets; ${thousands(run.polls.polls)} polls, of which ${thousands(run.polls.errors)} were answered without a state, and ${thousands(run.polls.late)} without a terminal state more than 5 s after the job had ended.

**${isFlat ? 'All is flat.' : `Not flat: ${wrong.join('; ')}.`}** Judged is the time after minute ${minute(warm)} (until then caches fill and nothing is deleted
yet): a fitted line may rise by a tenth of the mean from there to the end, small figures by what the table allows. The load
must stay within a tenth of its target all that time: ${loads.map(({ column, mustBe, furthest }) => `${show(furthest, column)} ${column.name} where it was furthest from ${show(mustBe, column)}`).join(', and ')}. One poll in a
thousand may be answered without a state, and none may be late.

| figure | mean | rise | allowed | |
| --- | ---: | ---: | ---: | --- |
${judged
  .map(
    ({ column, mean, rise, allowed, isFlat }) =>
      `| ${column.name} | ${show(mean, column)} | ${show(rise, column)} | ${show(allowed, column)} | ${isFlat ? 'flat' : '**rises**'} |`,
  )
  .join('\n')}

## Over time

A row combines ${rowSeconds} s, with a sample every ${run.secondsPerSample} s. Heaps are the minimum of a row (what garbage collection leaves), ages of states the
maximum, the others means. The age of states is measured in Redis: the time since the cursor of the busy job set that is furthest behind;
each of them has an event about every 50 ms.

| minute | ${columns.map(({ name }) => name).join(' | ')} |
| ---: | ${columns.map(() => '---:').join(' | ')} |
${rows.map((row, i) => `| ${minute(i)} | ${row.map((value, c) => show(value, columns[c])).join(' | ')} |`).join('\n')}
`;
  return { text, isFlat };
}

function tooLarge(containers?: SoakContainers): [string, number][] {
  const most = (containers?.mib ?? 0) * MB * RESIDENT_PART;
  return [...(containers?.peakRss ?? [])].filter(([, bytes]) => bytes > most);
}

function aboutContainers(containers?: SoakContainers): string {
  if (containers === undefined) return '';
  const peaks = Array.from(containers.peakRss, ([name, bytes]) => `${name} ${Math.round(bytes / MB)} MB`);
  const limit = containers.areLimited ? 'limited by the kernel to' : 'with the heap of a container of';
  return ` The applications ran as their images do, ${limit} ${containers.mib} MiB each; most resident: ${peaks.join(', ')}.`;
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
