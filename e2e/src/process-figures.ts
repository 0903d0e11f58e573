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
