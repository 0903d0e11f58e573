import { readFileSync } from 'node:fs';

/** As the images start Node in a container of 512 MiB, of which it allows the old generation half. For `NODE_OPTIONS`. */
export const NODE_OF_CONTAINER = '--max-old-space-size=256 --max-semi-space-size=32';

/** Resident memory of a process, in KiB. Linux only. */
export function residentKib(pid: number): number {
  return ofStatus(pid, 'VmRSS');
}

/** Its peak resident memory, in KiB. Linux only. */
export function peakResidentKib(pid: number): number {
  return ofStatus(pid, 'VmHWM');
}

function ofStatus(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
}
