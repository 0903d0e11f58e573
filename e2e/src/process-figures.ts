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
    const stat = statOf(pid);
    return {
      rssBytes: pages * PAGE_BYTES,
      handles: readdirSync(`/proc/${pid}/fd`).length,
      cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND,
    };
  } catch {
    return undefined;
  }
}

/** The processes that it has started and that have not ended. Throws where there is no /proc. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((other) => {
      try {
        return Number(statOf(other)[1]) === pid;
      } catch {
        // It has ended, or is none.
        return false;
      }
    });
}

/** Whether it runs. Whoever waits for it may not have heard yet that it has ended. */
export function isAlive(pid: number): boolean {
  try {
    return statOf(pid)[0] !== 'Z';
  } catch {
    return false;
  }
}

/** From its state on. */
function statOf(pid: number): string[] {
  // The program's name is in brackets and may hold any character.
  return readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
}

/** The most memory that the process has had since it began. Throws where there is no such process, or no /proc. */
export function peakRssBytes(pid: number): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/status names no peak`);
  return Number(kibibytes) * 1_024;
}
