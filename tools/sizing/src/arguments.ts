import { ArgumentError, parseDuration, parseOptions } from '@ajs/config';
import type { Load } from './sizing.js';

export const HELP = `npm run sizing -- --job-sets N --jobs-per-second N --polls-per-second N [...]

Calculates what an installation needs, from the figures of docs/performance.md (formulae: docs/operations.md).

  --job-sets N           job sets that are polled at about the same time
  --active-job-sets N    those of them with an event a minute or more (default: all)
  --jobs-per-second N    jobs submitted, such as 0.5
  --polls-per-second N   jobs whose states are asked for: unfinished jobs, divided by the seconds between two polls of one
  --jobs-per-call N      jobs in one call (default 1, as the Airflow operators do; api.Jobs takes up to 500)
  --waits N              WaitForJobs calls open at once (default 0)
  --streams N            WatchJobs and WatchJobSet streams open at once (default 0)
  --retention DURATION   from the submission of a job until its job set is deleted: how long it is polled, and DELETE_AFTER_POLL (default 25h)
  --events-per-job N     events of a job (default 6)
  --failed-percent N     jobs of 100 that fail (default 5)
  --external-uri-percent N
                         jobs of 100 with an external URI (default 100: the newer Airflow operator gives each of its jobs one)
`;

const OPTIONS = {
  'job-sets': { type: 'string' },
  'active-job-sets': { type: 'string' },
  'jobs-per-second': { type: 'string' },
  'polls-per-second': { type: 'string' },
  'jobs-per-call': { type: 'string', default: '1' },
  waits: { type: 'string', default: '0' },
  streams: { type: 'string', default: '0' },
  retention: { type: 'string', default: '25h' },
  'events-per-job': { type: 'string', default: '6' },
  'failed-percent': { type: 'string', default: '5' },
  'external-uri-percent': { type: 'string', default: '100' },
  help: { type: 'boolean', default: false },
} as const;

/** Reads the arguments; `undefined` for --help. Throws {@link ArgumentError}. */
export function readArguments(argv: readonly string[]): Load | undefined {
  const values = parseOptions(argv, OPTIONS);
  if (values.help) return undefined;
  const number = (name: keyof typeof OPTIONS, least: number, most: number, isWhole = true): number =>
    numberOf(name, values[name], least, most, isWhole);
  const jobSets = number('job-sets', 1, 1_000_000);
  const polledJobsPerSecond = number('polls-per-second', 0, 10_000_000, false);
  return {
    jobSets,
    activeJobSets: values['active-job-sets'] === undefined ? jobSets : number('active-job-sets', 0, jobSets),
    jobsPerSecond: number('jobs-per-second', 0, 1_000_000, false),
    eventsPerJob: number('events-per-job', 1, 1_000),
    failedShare: number('failed-percent', 0, 100, false) / 100,
    externalUriShare: number('external-uri-percent', 0, 100, false) / 100,
    retentionSeconds: secondsOf(values.retention),
    polledJobsPerSecond,
    jobsPerCall: number('jobs-per-call', 1, 1_000),
    waits: number('waits', 0, 10_000_000),
    streams: number('streams', 0, 10_000_000),
  };
}

function numberOf(name: string, text: unknown, least: number, most: number, isWhole: boolean): number {
  if (typeof text !== 'string') throw new ArgumentError(`--${name} is missing`);
  const value = (isWhole ? /^\d{1,9}$/ : /^\d{1,9}(?:\.\d{1,6})?$/).test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new ArgumentError(
    `--${name} is "${text}", but must be a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`,
  );
}

function secondsOf(text: string): number {
  const ms = parseDuration(text, 60_000);
  if (ms === undefined) {
    throw new ArgumentError(
      `--retention is "${text}", but must be a duration with a unit (m, h or d), such as 25h, from 1m to 365d`,
    );
  }
  return ms / 1_000;
}
