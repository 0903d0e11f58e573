import { Metadata, status } from '@grpc/grpc-js';
import { FairShares } from '@ajs/platform';
import type { Caller } from '../caller.js';
import type { Admission } from '../load/admission.js';
import { limitReached, type Refused } from '../load/limit-reached.js';
import { OpenCalls } from '../load/open-calls.js';
import { RpcError } from '../rpc-error.js';
import type { PermissionChecks } from './permission-checks.js';

export interface OpenStreamsOptions {
  readonly checks: Pick<PermissionChecks, 'add'>;
  readonly admission: Pick<Admission, 'openFor'>;
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

/** What ends work on a call that stays open. */
export type End = (error: RpcError) => void;

/**
 * The calls that stay open for long: bounded in number and in the jobs they name, of each caller to its fair share. They end when the
 * process stops, when their caller goes, and when it may not watch their queues any more.
 */
export class OpenStreams {
  private readonly calls: Record<(typeof POOLS)[OpenMethod], OpenCalls>;
  private readonly open: Record<OpenMethod, number> = { waitForJobs: 0, watchJobs: 0, watchJobSet: 0 };
  private readonly jobs: FairShares;
  private isStopping = false;

  constructor(private readonly options: OpenStreamsOptions) {
    const { maxWaits, maxWatches, maxJobs } = options;
    this.calls = { waits: new OpenCalls(maxWaits), watches: new OpenCalls(maxWatches) };
    this.jobs = new FairShares(maxJobs);
  }

  /**
   * Does the work of an open call. `end` is called with why it has to end, of which the first counts; the work then settles by itself.
   * Rejects with RESOURCE_EXHAUSTED where there is no room for it, and with CANCELLED where its caller has gone.
   * @param jobs How many jobs it names; 0 for a whole job set
   */
  async run<T>(
    method: OpenMethod,
    caller: Caller,
    { queues, jobs }: { readonly queues: ReadonlySet<string>; readonly jobs: number },
    end: End,
    work: () => Promise<T>,
  ): Promise<T> {
    // Perhaps while its jobs were read: it will not go again.
    if (caller.isGone()) throw callerGone();
    const kind = POOLS[method];
    const pool = this.calls[kind];
    const entry = pool.enter(caller.key, () => end(stopping()));
    if (entry === undefined) throw limitReached(`open_${kind}`, pool.shares, this.options.refused);
    if (jobs > 0 && !this.jobs.take(caller.key, jobs)) {
      entry.leave();
      throw limitReached('awaited_jobs', this.jobs, this.options.refused);
    }
    caller.whenGone(() => end(callerGone()));
    this.count(method, 1);
    const endChecks = this.options.checks.add({ caller, queues, end });
    if (this.isStopping) end(stopping());
    try {
      return await this.options.admission.openFor(caller, work);
    } finally {
      endChecks();
      if (jobs > 0) this.jobs.release(caller.key, jobs);
      entry.leave();
      this.count(method, -1);
    }
  }

  /** Ends them all: the process stops. */
  stop(): void {
    this.isStopping = true;
    this.calls.waits.endAll();
    this.calls.watches.endAll();
  }

  private count(method: OpenMethod, more: number): void {
    this.open[method] += more;
    this.options.onCount(method, this.open[method]);
  }
}

function callerGone(): RpcError {
  return new RpcError(status.CANCELLED, 'the caller cancelled the call');
}

function stopping(): RpcError {
  return new RpcError(status.UNAVAILABLE, 'this replica stops; call again, another one answers');
}

/** The same error with the token that resumes the stream it ends. */
export function withResumeToken({ code, details, metadata }: RpcError, token: string): RpcError {
  const trailers = metadata?.clone() ?? new Metadata();
  trailers.set('resume-token', token);
  return new RpcError(code, details, trailers);
}
