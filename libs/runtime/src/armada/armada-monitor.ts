import { isUnreachable } from '@ajs/armada-client';
import { MonotonicTime, addMs, msBetween, type JobSetKey } from '@ajs/job-state';
import { throttledLog, type Log, type ThrottledLog } from '@ajs/observability';
import { systemClock, type Clock } from '@ajs/platform';
import { jobSetTag } from '@ajs/redis-keys';
import type { ServiceError } from '@grpc/grpc-js';

/** The streams that end with Armada have ended by then. Milliseconds. */
const GATHER_MS = 500;
const PROBE_AGAIN_MS = 2_000;
/** Connections and streams that wait before they try again may fail once more for so long after an outage. Milliseconds. */
const SETTLE_MS = 30_000;
/** A stream that fails this often in a row is more than a restart of a server. */
const MANY_IN_A_ROW = 3;

export interface ArmadaMonitorOptions {
  /** Armada's own Health: rejects unless it is healthy. */
  readonly health: () => Promise<void>;
  readonly log: Log;
  readonly clock?: Clock;
}

interface Outage {
  readonly since: MonotonicTime;
  /** Those whose stream failed in it. */
  readonly jobSets: Set<string>;
}

/**
 * Says once that Armada cannot be reached and once that it can again, with how many job sets were affected, whatever number of calls and
 * streams fail meanwhile. Whether it can is asked of Armada's Health: at the start, after a failure, and every 2 s while it cannot.
 */
export class ArmadaMonitor {
  private readonly throttled: ThrottledLog;
  private readonly clock: Clock;
  /** Streams that have failed since the last answer of Health. */
  private readonly failed = new Map<string, { readonly reason: string; readonly inARow: number }>();
  private outage: Outage | undefined;
  private settledAt = MonotonicTime(-Infinity);
  private isProbing = false;
  private isStopped = false;
  private cancelTimer: (() => void) | undefined;

  constructor(private readonly options: ArmadaMonitorOptions) {
    this.clock = options.clock ?? systemClock;
    this.throttled = throttledLog(options.log, this.clock);
  }

  start(): void {
    void this.probe();
  }

  stop(): void {
    this.isStopped = true;
    this.cancelTimer?.();
  }

  /** A call has ended so that Armada may not be there. */
  callFailed(): void {
    this.probeIn(GATHER_MS);
  }

  /** The stream of a job set failed, for the `inARow`th time since the last read that came to its end. */
  streamFailed(key: JobSetKey, reason: string, inARow: number): void {
    this.failed.set(jobSetTag(key), { reason, inARow });
    this.probeIn(GATHER_MS);
  }

  private probeIn(ms: number): void {
    if (this.isStopped || this.isProbing || this.cancelTimer !== undefined) return;
    this.cancelTimer = this.clock.after(ms, () => void this.probe());
  }

  private async probe(): Promise<void> {
    this.cancelTimer = undefined;
    this.isProbing = true;
    const reason = await reasonOf(this.options.health());
    this.isProbing = false;
    if (this.isStopped) return;
    if (reason === undefined) this.available();
    else this.unavailable(reason);
    this.failed.clear();
    if (this.outage !== undefined) this.probeIn(PROBE_AGAIN_MS);
  }

  private unavailable(reason: string): void {
    const isNews = this.outage === undefined;
    this.outage ??= { since: this.clock.monotonic(), jobSets: new Set() };
    const { jobSets } = this.outage;
    for (const tag of this.failed.keys()) jobSets.add(tag);
    if (!isNews) return;
    this.options.log.warn(
      { reason, ...(jobSets.size > 0 && { jobSets: jobSets.size }) },
      'Armada is unavailable; known jobs keep their last state until it is back',
    );
  }

  private available(): void {
    const now = this.clock.monotonic();
    if (this.outage !== undefined) {
      const { since, jobSets } = this.outage;
      for (const tag of this.failed.keys()) jobSets.add(tag);
      this.options.log.info(
        {
          unavailableForMs: Math.round(msBetween(since, now)),
          ...(jobSets.size > 0 && { jobSets: jobSets.size }),
        },
        'Armada is available again',
      );
      this.outage = undefined;
      this.settledAt = addMs(now, SETTLE_MS);
    } else if (now >= this.settledAt) this.reportStreams();
  }

  /** Armada answers, but ended streams. */
  private reportStreams(): void {
    const ends = [...this.failed.values()];
    const [worst] = ends.sort((a, b) => b.inARow - a.inARow);
    if (worst === undefined) return;
    const fields = { jobSets: ends.length, ...worst };
    if (worst.inARow < MANY_IN_A_ROW) this.throttled('info', fields, 'event streams ended; reopening them');
    else this.throttled('warn', fields, 'event streams keep failing, although Armada answers; retrying');
  }
}

/** Why Armada cannot be reached; `undefined` where it can. */
async function reasonOf(health: Promise<void>): Promise<string | undefined> {
  try {
    await health;
    return undefined;
  } catch (error) {
    const { code, message } = error as Partial<ServiceError> & Error;
    return code === undefined || isUnreachable(code) ? message : undefined;
  }
}
