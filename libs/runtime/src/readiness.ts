import { completesWithin } from '@ajs/platform';

/** Rejects, with a reason for people, while the part does not work. */
export type Check = () => Promise<unknown>;

export interface ReadinessReport {
  readonly ready: boolean;
  /** `ok`, or what is wrong, by the name of the part. */
  readonly checks: Readonly<Record<string, string>>;
}

/** A part that says nothing for this long does not work. Milliseconds. */
const CHECK_MS = 1_000;

/** Whether this process can do its work now. */
export class Readiness {
  private stopping = false;

  constructor(private readonly parts: Readonly<Record<string, Check>>) {}

  /** From now on it is not ready: it is going away. */
  stop(): void {
    this.stopping = true;
  }

  async report(): Promise<ReadinessReport> {
    const entries = await Promise.all(
      Object.entries(this.parts).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    if (this.stopping) entries.push(['process', 'is stopping']);
    return { ready: entries.every(([, outcome]) => outcome === 'ok'), checks: Object.fromEntries(entries) };
  }
}

async function outcomeOf(check: Check): Promise<string> {
  try {
    return (await completesWithin(CHECK_MS, check())) ? 'ok' : `no answer within ${CHECK_MS} ms`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
