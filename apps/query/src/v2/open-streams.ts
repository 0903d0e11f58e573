import { Metadata, status } from '@grpc/grpc-js';
import { FairShares } from '@ajs/platform';
import { callerGone } from '../caller.js';
import type { Admission } from '../load/admission.js';
import { limitReached, type Refused } from '../load/limit-reached.js';
import { RpcError } from '../rpc-error.js';
import type { CheckedCall, PermissionChecks } from './permission-checks.js';

export interface OpenStreamsOptions {
  readonly checks: Pick<PermissionChecks, 'add' | 'delete'>;
  readonly admission: Pick<Admission, 'setAside' | 'takeBack'>;
  readonly maxWaits: number;
  readonly maxWatches: number;
  /** Of all open waits and watches of named jobs together. */
  readonly maxJobs: number;
  readonly refused: Refused;
  /** Called with how many calls of a method are open. */
  readonly onCount: (method: OpenMethod, open: number) => void;
}

/** The methods whose calls stay open, with what they share. */
const POOLS = { waitForJobs: 'waits', watchJobs: 'watches', watchJobSet: 'watches' } as const;

export type OpenMethod = keyof typeof POOLS;

export function isOpenMethod(method: string): method is OpenMethod {
  return method in POOLS;
}

/** A call that stays open: one object from its begin to its end, since there may be tens of thousands of them. */
export interface OpenCall extends CheckedCall {
  readonly method: OpenMethod;
  /** How many jobs it names; 0 for a whole job set. */
  readonly jobCount: number;
}

/**
 * The calls that stay open for long: bounded in number and in the jobs they name, of each caller to its fair share. They end when the
 * process stops, when their caller goes, and when it may not watch their queues any more.
 */
export class OpenStreams {
  private readonly pools: Record<(typeof POOLS)[OpenMethod], FairShares>;
  private readonly jobs: FairShares;
  private readonly calls = new Set<OpenCall>();
  private readonly open: Record<OpenMethod, number> = { waitForJobs: 0, watchJobs: 0, watchJobSet: 0 };
  private isStopping = false;

  constructor(private readonly options: OpenStreamsOptions) {
    const { maxWaits, maxWatches, maxJobs } = options;
    this.pools = { waits: new FairShares(maxWaits), watches: new FairShares(maxWatches) };
    this.jobs = new FairShares(maxJobs);
  }

  /** Does the work of an open call between {@link enter} and {@link leave}. The work settles by itself once the call's `end` is called. */
  async run<T>(call: OpenCall, work: () => Promise<T>): Promise<T> {
    this.enter(call);
    try {
      return await work();
    } finally {
      this.leave(call);
    }
  }

  /**
   * Makes room for an open call, until {@link leave}: call it for each that entered, once. Its `end` is called with why it has to end,
   * perhaps at once. Throws RESOURCE_EXHAUSTED where there is no room, and what {@link callerGone} says where the caller has gone.
   */
  enter(call: OpenCall): void {
    const { method, caller, jobCount } = call;
    const { checks, admission, refused } = this.options;
    // Perhaps while its jobs were read: it will not go again.
    if (caller.isGone()) throw callerGone(caller);
    const kind = POOLS[method];
    const pool = this.pools[kind];
    if (!pool.take(caller.key)) throw limitReached(`open_${kind}`, pool, refused);
    if (jobCount > 0 && !this.jobs.take(caller.key, jobCount)) {
      pool.release(caller.key);
      throw limitReached('awaited_jobs', this.jobs, refused, jobCount);
    }
    this.calls.add(call);
    this.count(method, 1);
    checks.add(call);
    admission.setAside(caller);
    caller.whenGone(() => call.end(callerGone(caller)));
    if (this.isStopping) call.end(stopping());
  }

  leave(call: OpenCall): void {
    const { method, caller, jobCount } = call;
    this.options.admission.takeBack(caller);
    this.options.checks.delete(call);
    this.calls.delete(call);
    this.count(method, -1);
    if (jobCount > 0) this.jobs.release(caller.key, jobCount);
    this.pools[POOLS[method]].release(caller.key);
  }

  /** Ends them all: the process stops. */
  stop(): void {
    this.isStopping = true;
    for (const call of Array.from(this.calls)) call.end(stopping());
  }

  private count(method: OpenMethod, more: number): void {
    this.open[method] += more;
    this.options.onCount(method, this.open[method]);
  }
}

function stopping(): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    'this replica is shutting down; call again, and another replica answers',
  );
}

/** The same error with the token that resumes the stream it ends. */
export function withResumeToken({ code, details, metadata }: RpcError, token: string): RpcError {
  const trailers = metadata?.clone() ?? new Metadata();
  trailers.set('resume-token', token);
  return new RpcError(code, details, trailers);
}
