import { readFileSync, readdirSync } from 'node:fs';

const PAGE_BYTES = 4_096;
const TICKS_PER_SECOND = 100;

/** Figures of a process, from /proc. */
export interface ProcessFigures {
  readonly rssBytes: number;
  readonly handles: number;
  /** Processor time used since it began. */
  readonly cpuSeconds: number;
}

/** `undefined` where there is no such process, or no /proc. */
export function processFigures(pid: number): ProcessFigures | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    // The program's name is in brackets and may hold any character.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return {
      rssBytes: pages * PAGE_BYTES,
      handles: readdirSync(`/proc/${pid}/fd`).length,
      cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND,
    };
  } catch {
    return undefined;
  }
}

/** The most memory that the process has had since it began. Throws where there is no such process, or no /proc. */
export function peakRssBytes(pid: number): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/status names no peak`);
  return Number(kibibytes) * 1_024;
}
