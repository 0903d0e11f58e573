import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError } from '@ajs/config';
import { readArguments } from './arguments.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'compare-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const SIDES = ['--old', 'old:60003', '--new', 'new:60003'];
const JOB_SET = ['--queue', 'q', '--job-set', 's'];

function fileWith(text: string): string {
  const file = join(folder, 'jobs.tsv');
  writeFileSync(file, text);
  return file;
}

function problemOf(argv: readonly string[]): string {
  try {
    readArguments(argv);
  } catch (error) {
    if (error instanceof ArgumentError) return error.message;
    throw error;
  }
  return 'no problem';
}

it('a list of jobs has queue, job set and job id with tabs between them', () => {
  const jobs = fileWith('q\tjob set\tj1\r\n\nq\ts\tj2\n');
  expect(readArguments([...SIDES, '--jobs', jobs])?.jobs).toEqual({
    refs: [
      { queue: 'q', jobSetId: 'job set', jobId: 'j1' },
      { queue: 'q', jobSetId: 's', jobId: 'j2' },
    ],
  });
});

it('job sets are named beside their queue, and what is left out has defaults', () => {
  expect(readArguments([...SIDES, ...JOB_SET, '--job-set', 't'])).toEqual({
    old: { address: 'old:60003', tls: false },
    new: { address: 'new:60003', tls: false, authorization: undefined },
    jobs: { queue: 'q', jobSetIds: ['s', 't'] },
    perSecond: 50,
    toleranceMs: 30_000,
    forMs: 600_000,
  });
});

it('the credential is for the new service alone', () => {
  const given = readArguments([...SIDES, ...JOB_SET, '--old-tls', '--new-tls'], {
    COMPARE_AUTHORIZATION: 'Bearer x',
  });
  expect(given?.old).toEqual({ address: 'old:60003', tls: true });
  expect(given?.new).toEqual({ address: 'new:60003', tls: true, authorization: 'Bearer x' });
});

it.each([
  ['no address', JOB_SET, '--old is "", but must be host:port'],
  ['an address with a scheme', ['--old', 'http://old:1', ...JOB_SET], '--old is "http://old:1", but must be'],
  ['no jobs', SIDES, 'which jobs?'],
  ['a queue without job sets', [...SIDES, '--queue', 'q'], 'which jobs?'],
  ['job sets and a list', [...SIDES, ...JOB_SET, '--jobs', 'x'], 'which jobs?'],
  ['a list that is not there', [...SIDES, '--jobs', '/no/such/file'], '--jobs cannot be read: ENOENT'],
  [
    'a rate that is none',
    [...SIDES, ...JOB_SET, '--rate', '1e3'],
    '--rate is "1e3", but must be a whole number',
  ],
  ['a rate above the limit', [...SIDES, ...JOB_SET, '--rate', '1001'], 'from 1 to 1000'],
  [
    'a duration without a unit',
    [...SIDES, ...JOB_SET, '--tolerance', '30'],
    '--tolerance is "30", but must be',
  ],
  [
    'a time too short to find anything',
    [...SIDES, ...JOB_SET, '--for', '30s'],
    '--for is 30s, but must be longer',
  ],
  ['an argument that does not exist', [...SIDES, ...JOB_SET, '--job', 'x'], "Unknown option '--job'"],
])('%s is refused in words', (_, argv, words) => {
  expect(problemOf(argv)).toContain(words);
});

it.each([
  ['too few columns', 'q\ts\tj\nq\ts\n', /^line 2 of .* must be queue, job set and job id/],
  ['too many', 'q\ts\tj\tx\n', /^line 1 /],
  ['an empty one', 'q\t\tj\n', /^line 1 /],
  ['no line', '\n', /has 0 jobs, but must have from 1 to 100000$/],
])('a list with %s is refused in words', (_, text, words) => {
  expect(problemOf([...SIDES, '--jobs', fileWith(text)])).toMatch(words);
});
