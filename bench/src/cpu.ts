import { readFileSync } from 'node:fs';

/** Linux counts in these, whatever the kernel's own clock. Milliseconds. */
const TICK_MS = 10;

/** What a process has used of a core so far, all threads together. Milliseconds. Linux only. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program comes before, in brackets, and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
