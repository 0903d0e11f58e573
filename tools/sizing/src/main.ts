// Calculates what an installation needs.
import { ArgumentError, HELP, readArguments } from './arguments.js';
import { sizingOf } from './sizing.js';
import { sizingTable } from './table.js';

try {
  const load = readArguments(process.argv.slice(2));
  console.log(load === undefined ? HELP : sizingTable(sizingOf(load)));
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error;
  console.error(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
