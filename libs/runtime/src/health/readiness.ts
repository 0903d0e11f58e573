import { Injectable } from '@nestjs/common';
import { completesWithin } from '@ajs/platform';

/** Rejects, with a reason for people, while the part does not work. */
export type Check = () => Promise<unknown>;

export interface ReadinessReport {
  readonly ready: boolean;
  /** `ok`, or what is wrong, by the name of the part. */
  readonly checks: Readonly<Record<string, string>>;
}

/** A part that does not answer in this time does not work. Milliseconds. */
const CHECK_TIMEOUT_MS = 1_000;

/** Whether this process can do its work now. The module that owns a part adds the check of it. */
@Injectable()
export class Readiness {
  private readonly checks = new Map<string, Check>();
  private readonly dispensable = new Set<string>();
  private stopping = false;
  private running: Promise<ReadinessReport> | undefined;

  add(part: string, check: Check): void {
    this.checks.set(part, check);
  }

  /**
   * Reports whether a loop in the background goes on; the process is ready without one that is `dispensable`. `standstill` returns for how
   * long it has stood still, and why.
   */
  addLoop(part: string, standstill: () => string | undefined, use: 'needed' | 'dispensable'): void {
    if (use === 'dispensable') this.dispensable.add(part);
    this.add(part, () => {
      const problem = standstill();
      return problem === undefined ? Promise.resolve() : Promise.reject(new Error(problem));
    });
  }

  /** From now on the process is not ready, whatever its parts say. */
  stop(): void {
    this.stopping = true;
  }

  /** Callers at the same time share one report: each asks every part, and anyone may request it. */
  report(): Promise<ReadinessReport> {
    return (this.running ??= this.checkAll().finally(() => {
      this.running = undefined;
    }));
  }

  private async checkAll(): Promise<ReadinessReport> {
    const entries = await Promise.all(
      Array.from(this.checks, async ([part, check]) => [part, await outcomeOf(check)] as const),
    );
    if (this.stopping) entries.push(['process', 'is stopping']);
    return {
      ready: entries.every(([part, outcome]) => outcome === 'ok' || this.dispensable.has(part)),
      checks: Object.fromEntries(entries),
    };
  }
}

async function outcomeOf(check: Check): Promise<string> {
  try {
    return (await completesWithin(CHECK_TIMEOUT_MS, check()))
      ? 'ok'
      : `no answer within ${CHECK_TIMEOUT_MS} ms`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
