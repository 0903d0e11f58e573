import { AbsenceKind, type JobResult } from '@ajs/contracts/jobservice/v2/job_status_service';
import { MonotonicTime, addMs } from '@ajs/job-state';
import { systemClock, type Clock } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import type { Admission } from '../load/admission.js';
import type { RpcError } from '../rpc-error.js';
import type { JobResultsQuery } from './job-results-query.js';
import type { RequestedJob } from './requests.js';

/** The jobs of a call are looked up again after this time, then each time after twice as long, up to a bound. Milliseconds. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
const ROUND_MS = 500;
/** Jobs that are looked up in one round, for all calls together; further calls come in the next one. */
const JOBS_IN_ROUND = 500;
const NEVER = MonotonicTime(Infinity);

/** A call that stays open and names jobs that could not be shown. */
export interface CallForAbsentJobs {
  readonly caller: Caller;
  /** By their places in the request. Those that need not be looked up any more are taken out. */
  readonly jobs: Map<number, RequestedJob>;
  /** Called with the result of each look-up. */
  readonly tell: (place: number, result: JobResult) => void;
  /** Called where the caller may not see one of the jobs. */
  readonly end: (error: RpcError) => void;
}

export interface AbsentJobsOptions {
  readonly results: Pick<JobResultsQuery, 'run'>;
  readonly admission: Pick<Admission, 'run'>;
  /** What a call is answered that ran into this. */
  readonly failed: (error: unknown) => RpcError;
}

/**
 * Looks up again, while calls stay open, the jobs that they name and that no feed tells of: those of which only the id is known, and those that
 * may turn out not to exist. One timer for all calls; each look-up is a call of its own for the limits of its caller.
 */
export class AbsentJobs {
  /** With the time of the next look-up, and the pause after it. */
  private readonly calls = new Map<
    CallForAbsentJobs,
    { readonly dueAt: MonotonicTime; readonly pauseMs: number }
  >();
  private cancelRound: (() => void) | undefined;

  constructor(
    private readonly options: AbsentJobsOptions,
    private readonly clock: Pick<Clock, 'after' | 'monotonic'> = systemClock,
  ) {}

  /** Returns what ends it. */
  lookUpFor(call: CallForAbsentJobs): () => void {
    if (call.jobs.size > 0) this.lookUpLater(call, FIRST_PAUSE_MS);
    return () => this.remove(call);
  }

  private remove(call: CallForAbsentJobs): void {
    this.calls.delete(call);
    if (this.calls.size > 0) return;
    this.cancelRound?.();
    this.cancelRound = undefined;
  }

  private lookUpLater(call: CallForAbsentJobs, pauseMs: number): void {
    const dueAt = addMs(this.clock.monotonic(), pauseMs);
    this.calls.set(call, { dueAt, pauseMs: Math.min(2 * pauseMs, MAX_PAUSE_MS) });
    this.cancelRound ??= this.nextRound();
  }

  private nextRound(): () => void {
    return this.clock.after(ROUND_MS, () => {
      this.cancelRound = this.nextRound();
      this.round();
    });
  }

  private round(): void {
    const now = this.clock.monotonic();
    let left = JOBS_IN_ROUND;
    for (const [call, { dueAt, pauseMs }] of this.calls) {
      if (dueAt > now) continue;
      // To the end of the order, and not due before this look-up is over.
      this.calls.delete(call);
      this.calls.set(call, { dueAt: NEVER, pauseMs });
      void this.lookUp(call, pauseMs);
      left -= call.jobs.size;
      if (left <= 0) return;
    }
  }

  private async lookUp(call: CallForAbsentJobs, pauseMs: number): Promise<void> {
    const { caller, jobs } = call;
    const asked = [...jobs];
    const isOver = (): boolean => !this.calls.has(call);
    const lookUp: Caller = { ...caller, isGone: () => isOver() || caller.isGone() };
    try {
      const results = await this.options.admission.run(lookUp, () =>
        this.options.results.run(
          asked.map(([, job]) => job),
          lookUp,
        ),
      );
      for (const [i, [place]] of asked.entries()) {
        const result = results[i];
        if (result !== undefined && !isOver()) this.found(call, place, result);
      }
    } catch (error) {
      if (isOver()) return;
      const answer = this.options.failed(error);
      if (isRefusal(answer)) call.end(answer);
    }
    if (isOver()) return;
    if (jobs.size > 0) this.lookUpLater(call, pauseMs);
    else this.remove(call);
  }

  private found(call: CallForAbsentJobs, place: number, result: JobResult): void {
    if (!isToBeLookedUp(result)) call.jobs.delete(place);
    call.tell(place, result);
  }
}

/** Those of the jobs, by their places, that are to be looked up again. */
export function absentAmong(
  jobs: readonly RequestedJob[],
  results: readonly JobResult[],
  isMeant: (job: RequestedJob) => boolean = () => true,
): Map<number, RequestedJob> {
  const absent = new Map<number, RequestedJob>();
  for (const [place, job] of jobs.entries()) {
    const result = results[place];
    if (result !== undefined && isMeant(job) && isToBeLookedUp(result)) absent.set(place, job);
  }
  return absent;
}

/** Why there is no job to show. `undefined` where there is one. */
export function absenceOf({ result }: JobResult): AbsenceKind | undefined {
  return result?.$case === 'absence' ? result.value.kind : undefined;
}

/** A job that Armada does not know may come to be. In a job set its feed tells of it; one that is named by its id alone has none. */
function isToBeLookedUp(result: JobResult): boolean {
  const absence = absenceOf(result);
  if (absence === AbsenceKind.ABSENCE_KIND_NOT_FOUND) return result.ref?.queue === '';
  return absence === AbsenceKind.ABSENCE_KIND_NOT_SYNCED;
}

function isRefusal({ code }: RpcError): boolean {
  return code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED;
}
