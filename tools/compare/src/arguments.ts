import { readFileSync } from 'node:fs';
import type { ParseArgsConfig } from 'node:util';
import { ArgumentError, parseDuration, parseHostPort, parseOptions } from '@ajs/config';
import type { JobRef } from './comparison.js';
import type { SideOptions } from './side.js';

/** Which jobs are compared: those of a list, or those that job sets of a queue have at the new service. */
export type ComparedJobs =
  { readonly refs: readonly JobRef[] } | { readonly queue: string; readonly jobSetIds: readonly string[] };

export interface CompareArguments {
  readonly old: SideOptions;
  readonly new: SideOptions;
  readonly jobs: ComparedJobs;
  readonly perSecond: number;
  readonly toleranceMs: number;
  readonly forMs: number;
}

/** More would make a round take longer than the lag that it is to tolerate. */
export const MOST_JOBS = 100_000;
const MOST_PER_SECOND = 1_000;

export const HELP = `npm run compare -- --old HOST:PORT --new HOST:PORT (--jobs FILE | --queue QUEUE --job-set JOB_SET ...)

Asks two job services for the states of the same jobs, over the legacy API, and prints where they differ. Nothing is changed by it, but both
services follow the job sets that they are asked about.

  --old, --new HOST:PORT  gRPC of the old service and of the new one
  --old-tls, --new-tls    connect with TLS (NODE_EXTRA_CA_CERTS names CA certificates beside those of Node)
  --jobs FILE             a job per line: queue, job set and job id, with a tab between them
  --queue QUEUE           with --job-set, repeatable: the jobs that the new service has of these job sets, also those that come later. A job
                          that it does not know is not compared: give a list, to find those
  --rate N                polls per second of each side (default 50, at most ${MOST_PER_SECOND})
  --tolerance DURATION    how long two different answers may stay the same two before they count (default 30s)
  --for DURATION          for how long (default 10m); it ends earlier once all jobs have ended on both sides

COMPARE_AUTHORIZATION is sent to the new service as metadata "authorization", such as "Bearer TOKEN".
Exit code 0: they differed on no job for longer than is tolerated. 1: on some, or some jobs could not be compared. 2: wrong arguments.
`;

const OPTIONS = {
  old: { type: 'string' },
  new: { type: 'string' },
  'old-tls': { type: 'boolean', default: false },
  'new-tls': { type: 'boolean', default: false },
  jobs: { type: 'string' },
  queue: { type: 'string' },
  'job-set': { type: 'string', multiple: true, default: [] },
  rate: { type: 'string', default: '50' },
  tolerance: { type: 'string', default: '30s' },
  for: { type: 'string', default: '10m' },
  help: { type: 'boolean', default: false },
} satisfies ParseArgsConfig['options'];

/** Reads the arguments; `undefined` for --help. Throws {@link ArgumentError}. */
export function readArguments(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): CompareArguments | undefined {
  const values = parseOptions(argv, OPTIONS);
  if (values.help) return undefined;
  const toleranceMs = durationOf('--tolerance', values.tolerance);
  const forMs = durationOf('--for', values.for);
  if (forMs <= toleranceMs) {
    throw new ArgumentError(
      `--for is ${values.for}, but must be longer than --tolerance (${values.tolerance}): before it no difference counts`,
    );
  }
  return {
    old: { address: addressOf('--old', values.old), tls: values['old-tls'] },
    new: {
      address: addressOf('--new', values.new),
      tls: values['new-tls'],
      authorization: env['COMPARE_AUTHORIZATION'] || undefined,
    },
    jobs: jobsOf(values),
    perSecond: rateOf(values.rate),
    toleranceMs,
    forMs,
  };
}

type Values = ReturnType<typeof parseOptions<typeof OPTIONS>>;

function addressOf(name: string, text = ''): string {
  if (parseHostPort(text, 1) === undefined) {
    throw new ArgumentError(`${name} is "${text}", but must be host:port, without a scheme`);
  }
  return text;
}

function durationOf(name: string, text: string): number {
  // A timer waits for less than 25 days.
  const ms = parseDuration(text, 1_000, '20d');
  if (ms === undefined) {
    throw new ArgumentError(
      `${name} is "${text}", but must be a duration with a unit (ms, s, m, h or d), such as 30s, from 1s to 20d`,
    );
  }
  return ms;
}

function rateOf(text: string): number {
  const rate = Number(text);
  if (!/^\d+$/.test(text) || rate < 1 || rate > MOST_PER_SECOND) {
    throw new ArgumentError(`--rate is "${text}", but must be a whole number from 1 to ${MOST_PER_SECOND}`);
  }
  return rate;
}

function jobsOf({ jobs, queue = '', 'job-set': jobSetIds }: Values): ComparedJobs {
  const byJobSet = queue !== '' && jobSetIds.length > 0 && !jobSetIds.includes('');
  if (jobs !== undefined) {
    if (queue === '' && jobSetIds.length === 0) return { refs: readJobs(jobs) };
  } else if (byJobSet) {
    return { queue, jobSetIds };
  }
  throw new ArgumentError('which jobs? Give either --jobs, or --queue and at least one --job-set');
}

function readJobs(file: string): JobRef[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ArgumentError(`--jobs cannot be read: ${(error as Error).message}`);
  }
  const refs = text.split(/\r?\n/).flatMap((line, i) => {
    if (line === '') return [];
    const [queue = '', jobSetId = '', jobId = '', ...more] = line.split('\t');
    if (queue === '' || jobSetId === '' || jobId === '' || more.length > 0) {
      throw new ArgumentError(
        `line ${i + 1} of ${file} must be queue, job set and job id, with a tab between them`,
      );
    }
    return [{ queue, jobSetId, jobId }];
  });
  if (refs.length === 0 || refs.length > MOST_JOBS) {
    throw new ArgumentError(`${file} has ${refs.length} jobs, but must have from 1 to ${MOST_JOBS}`);
  }
  return refs;
}
