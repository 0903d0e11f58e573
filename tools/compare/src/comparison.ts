import { JOB_STATES, msBetween, type MonotonicTime } from '@ajs/job-state';
import type { JobServiceResponse_State } from '@ajs/contracts/jobservice/jobservice';

/** A job as the legacy API asks for it. */
export interface JobRef {
  readonly queue: string;
  readonly jobSetId: string;
  readonly jobId: string;
}

export type StateName = keyof typeof JobServiceResponse_State;

/** What one side says of a job. */
export interface Answer {
  /** Left out: it says no state, since it cannot know it now, or does not answer. */
  readonly state?: StateName;
  /** Why there is no state, or the error that came with it. */
  readonly text: string;
}

/** Two sides that began or ceased to differ for longer than is tolerated. */
export interface Finding {
  readonly kind: 'differ' | 'agree';
  readonly ref: JobRef;
  readonly old: Answer;
  readonly new: Answer;
  /** How long both sides have given these two answers. Milliseconds. */
  readonly forMs: number;
}

/**
 * How a job stands: `unsure` where the sides differ, and have not done so for long enough to count; `not compared` where neither knows a
 * state, or neither was asked yet.
 */
export type Standing = 'ended alike' | 'agree' | 'differ' | 'unsure' | 'not compared';

interface Compared {
  readonly ref: JobRef;
  readonly old: Answer;
  readonly new: Answer;
  /** When this pair of states was first seen. */
  readonly since: MonotonicTime;
  /** When it was last seen. */
  readonly seen: MonotonicTime;
  /** It is a difference that was reported. */
  readonly isTold: boolean;
  /** This pair or one before it was reported, and the sides have not agreed since. */
  readonly isDiffering: boolean;
  readonly hasDiffered: boolean;
}

const TERMINAL: ReadonlySet<StateName | undefined> = new Set(
  Object.values(JOB_STATES).flatMap(({ terminal, legacy }) => (terminal ? [legacy] : [])),
);

/**
 * Compares what two job services say of the same jobs. One of them hears of a change before the other, so a difference counts once both have
 * given the same two answers for longer than a tolerance. Only states are compared: the text of an error is each service's own.
 */
export class Comparison {
  private readonly jobs = new Map<string, Compared>();

  /** @param toleranceMs How long two sides may differ in the same way. Milliseconds. */
  constructor(private readonly toleranceMs: number) {}

  /** Takes what both sides said of a job at about the same time. Returns what is to be reported about it, if anything changed. */
  observe(ref: JobRef, old: Answer, now: Answer, at: MonotonicTime): Finding | undefined {
    const key = keyOf(ref);
    const before = this.jobs.get(key);
    const isSame = before !== undefined && before.old.state === old.state && before.new.state === now.state;
    const since = isSame ? before.since : at;
    const forMs = msBetween(since, at);
    const wasTold = isSame && before.isTold;
    const wasDiffering = before?.isDiffering ?? false;
    const agrees = old.state === now.state && old.state !== undefined;
    const differs = old.state !== now.state && !wasTold && forMs > this.toleranceMs;
    this.jobs.set(key, {
      ref,
      old,
      new: now,
      since,
      seen: at,
      isTold: wasTold || differs,
      isDiffering: differs || (wasDiffering && !agrees),
      hasDiffered: differs || (before?.hasDiffered ?? false),
    });
    if (differs) return { kind: 'differ', ref, old, new: now, forMs };
    return agrees && wasDiffering ? { kind: 'agree', ref, old, new: now, forMs } : undefined;
  }

  /** Whether nothing can change any more: both say that the job has ended, and either agree or have differed for long enough. */
  isSettled(ref: JobRef): boolean {
    const job = this.jobs.get(keyOf(ref));
    if (job === undefined || !TERMINAL.has(job.old.state) || !TERMINAL.has(job.new.state)) return false;
    return job.old.state === job.new.state || job.isTold;
  }

  /** How many jobs stand how. Those that have differed for long enough stay among those that differ, though they agree now. */
  standings(refs: readonly JobRef[]): ReadonlyMap<Standing, number> {
    const counts = new Map<Standing, number>();
    for (const ref of refs) {
      const standing = this.standingOf(ref);
      counts.set(standing, (counts.get(standing) ?? 0) + 1);
    }
    return counts;
  }

  /** The differences that have lasted long enough and are there still. */
  get differences(): readonly Finding[] {
    return Array.from(this.jobs.values()).flatMap(({ ref, old, new: now, since, seen, isDiffering }) =>
      isDiffering ? [{ kind: 'differ' as const, ref, old, new: now, forMs: msBetween(since, seen) }] : [],
    );
  }

  private standingOf(ref: JobRef): Standing {
    const job = this.jobs.get(keyOf(ref));
    if (job?.hasDiffered === true) return 'differ';
    if (job === undefined || (job.old.state === undefined && job.new.state === undefined))
      return 'not compared';
    if (job.old.state !== job.new.state) return 'unsure';
    return TERMINAL.has(job.old.state) ? 'ended alike' : 'agree';
  }
}

function keyOf({ queue, jobSetId, jobId }: JobRef): string {
  return JSON.stringify([queue, jobSetId, jobId]);
}
