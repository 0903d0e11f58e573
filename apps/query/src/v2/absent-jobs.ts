import { AbsenceKind, type JobResult } from '@ajs/contracts/jobservice/v2/job_status_service';
import { FairQueue, systemClock, type Clock } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { DelayingQueue } from '../delaying-queue.js';
import type { Admission } from '../load/admission.js';
import type { RpcError } from '../rpc-error.js';
import type { JobResultsQuery } from './job-results-query.js';
import type { RequestedJob } from './requests.js';

/** The jobs of a call are looked up again after this time, then each time after twice as long, up to a bound. Milliseconds. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
const ROUND_MS = 500;
/** Jobs that are looked up in one round, for all calls together; further calls come in the next one, each caller's in its turn. */
const JOBS_IN_ROUND = 500;

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

/** A call between two look-ups, or in one. */
interface Waiting {
  readonly call: CallForAbsentJobs;
  /** Before the next look-up. */
  pauseMs: number;
  isOver: boolean;
}

/**
 * Looks up again, while calls stay open, the jobs that they name and that no feed reports: those of which only the id is known, and those that
 * may turn out not to exist. Each look-up is a call of its own for the limits of its caller.
 */
export class AbsentJobs {
  private readonly waiting: DelayingQueue<Waiting>;
  private readonly due = new FairQueue<Waiting>();
  private isBetweenRounds = false;

  constructor(
    private readonly options: AbsentJobsOptions,
    private readonly clock: Pick<Clock, 'after' | 'monotonic'> = systemClock,
  ) {
    this.waiting = new DelayingQueue(ROUND_MS, (due) => this.take(due), clock);
  }

  /** Returns what ends it. */
  lookUpFor(call: CallForAbsentJobs): () => void {
    const one: Waiting = { call, pauseMs: FIRST_PAUSE_MS, isOver: false };
    this.lookUpLater(one);
    return () => {
      one.isOver = true;
      this.waiting.remove(one);
    };
  }

  private lookUpLater(one: Waiting): void {
    if (one.isOver || one.call.jobs.size === 0) return;
    this.waiting.addAfter(one, one.pauseMs);
    one.pauseMs = Math.min(2 * one.pauseMs, MAX_PAUSE_MS);
  }

  private take(due: readonly Waiting[]): void {
    for (const one of due) this.due.add(one.call.caller.key, one);
    if (!this.isBetweenRounds) this.round();
  }

  private round(): void {
    this.isBetweenRounds = false;
    let left = JOBS_IN_ROUND;
    for (let one = this.due.next(); one !== undefined; one = this.due.next()) {
      if (one.isOver) continue;
      left -= one.call.jobs.size;
      void this.lookUpAgain(one);
      if (left <= 0) {
        this.isBetweenRounds = true;
        this.clock.after(ROUND_MS, () => this.round());
        return;
      }
    }
  }

  private async lookUpAgain(one: Waiting): Promise<void> {
    await this.lookUp(one);
    this.lookUpLater(one);
  }

  private async lookUp(one: Waiting): Promise<void> {
    const { call } = one;
    const { caller, jobs } = call;
    const asked = [...jobs];
    const lookUp: Caller = { ...caller, admitted: undefined, isGone: () => one.isOver || caller.isGone() };
    try {
      const results = await this.options.admission.run(lookUp, () =>
        this.options.results.run(
          asked.map(([, job]) => job),
          lookUp,
        ),
      );
      for (const [i, [place]] of asked.entries()) {
        const result = results[i];
        if (result !== undefined && !one.isOver) this.found(call, place, result);
      }
    } catch (error) {
      if (one.isOver) return;
      const answer = this.options.failed(error);
      if (isRefusal(answer)) call.end(answer);
    }
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

/** A job that Armada does not know may come to be. In a job set its feed reports it; one that is named by its id alone has none. */
function isToBeLookedUp(result: JobResult): boolean {
  const absence = absenceOf(result);
  if (absence === AbsenceKind.ABSENCE_KIND_NOT_FOUND) return result.ref?.queue === '';
  return absence === AbsenceKind.ABSENCE_KIND_NOT_SYNCED;
}

function isRefusal({ code }: RpcError): boolean {
  return code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED;
}
