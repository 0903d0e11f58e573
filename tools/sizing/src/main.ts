// Calculates what an installation needs.
import { runCommand } from '@ajs/config';
import { HELP, readArguments } from './arguments.js';
import { sizingOf } from './sizing.js';
import { sizingTable } from './table.js';

await runCommand(HELP, () => {
  const load = readArguments(process.argv.slice(2));
  console.log(load === undefined ? HELP : sizingTable(sizingOf(load)));
  return 0;
});
