import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments } from './arguments.js';

const GUIDE = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
const COMMANDS = Array.from(GUIDE.matchAll(/^ {4}npm run compare -- (.+)$/gm), ([, args = '']) => args);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compare-'));
  writeFileSync(join(folder, 'jobs.tsv'), 'q\ts\tj\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

it('docs/operations.md compares the jobs of a job set, and those of a list', () => {
  expect(COMMANDS).toHaveLength(2);
});

it.each(COMMANDS)('docs/operations.md has valid arguments: %s', (args) => {
  const words = args.replace('jobs.tsv', join(folder, 'jobs.tsv')).split(' ');
  expect(readArguments(words)?.new.address).toBe('query:60003');
});
