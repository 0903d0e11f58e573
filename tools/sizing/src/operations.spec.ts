import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArguments } from './arguments.js';
import { COSTS, sizingOf } from './sizing.js';
import { sizingTable } from './table.js';

const GUIDE = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
const [, COMMAND = '', PRINTED = ''] =
  /^ {4}npm run sizing -- (.+)\n\n```text\n([\s\S]+?)\n```/m.exec(GUIDE) ?? [];

it('docs/operations.md shows a command with what it prints', () => {
  const load = readArguments(COMMAND.split(' '));
  expect(load && sizingTable(sizingOf(load))).toBe(PRINTED);
});

it('docs/operations.md has every cost that is calculated with', () => {
  const costs = Array.from(GUIDE.matchAll(/^\| [^|]+ \| (\d+) (?:µs|bytes) +\|/gm), ([, cost]) =>
    Number(cost),
  );
  expect(costs.sort()).toEqual(Object.values(COSTS).sort());
});
