import { readFileSync, readdirSync } from 'node:fs';

/** What a process has used of the cores so far, all its threads together. Milliseconds. Linux only. */
export function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  // Not /proc/PID/stat, which counts in hundredths of a second.
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
}
