import { ArgumentError } from '@ajs/config';
import { readArguments } from './arguments.js';

const NEEDED = ['--job-sets', '100', '--jobs-per-second', '0.5', '--polls-per-second', '20'];

function problemOf(argv: readonly string[]): string {
  try {
    readArguments(argv);
  } catch (error) {
    if (error instanceof ArgumentError) return error.message;
    throw error;
  }
  return 'no problem';
}

it('what is left out has defaults: every job set is active, and nobody waits', () => {
  expect(readArguments(NEEDED)).toEqual({
    jobSets: 100,
    activeJobSets: 100,
    jobsPerSecond: 0.5,
    eventsPerJob: 6,
    failedShare: 0.05,
    externalUriShare: 1,
    retentionSeconds: 90_000,
    polledJobsPerSecond: 20,
    jobsPerCall: 1,
    waits: 0,
    streams: 0,
  });
});

it.each([
  ['a missing number', NEEDED.slice(2), '--job-sets is missing'],
  [
    'a number that is none',
    [...NEEDED, '--waits', '1e3'],
    '--waits is "1e3", but must be a whole number from 0 to',
  ],
  ['a negative one', [...NEEDED, '--waits=-1'], '--waits is "-1", but must be'],
  ['none at all', [...NEEDED, '--job-sets', ''], '--job-sets is "", but must be a whole number from 1 to'],
  [
    'a part of a job set',
    [...NEEDED, '--job-sets', '1.5'],
    '--job-sets is "1.5", but must be a whole number',
  ],
  ['more active job sets than job sets', [...NEEDED, '--active-job-sets', '101'], 'from 0 to 100'],
  [
    'more than all jobs',
    [...NEEDED, '--failed-percent', '101'],
    '--failed-percent is "101", but must be a number',
  ],
  [
    'a duration without a unit',
    [...NEEDED, '--retention', '24'],
    '--retention is "24", but must be a duration',
  ],
  ['an argument that does not exist', [...NEEDED, '--jobs', '1'], "Unknown option '--jobs'"],
])('%s is refused in words', (_, argv, words) => {
  expect(problemOf(argv)).toContain(words);
});
