import { Metadata, status } from '@grpc/grpc-js';
import { FairShares } from '@ajs/platform';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import type { Admission } from '../load/admission.js';
import { limitReached, type Refused } from '../load/limit-reached.js';
import { OpenCalls } from '../load/open-calls.js';
import { RpcError } from '../rpc-error.js';

export interface OpenStreamsOptions {
  readonly access: Pick<Access, 'toQueue'>;
  readonly admission: Pick<Admission, 'openFor'>;
  readonly maxWaits: number;
  readonly maxWatches: number;
  /** Of all open waits and watches of named jobs together. */
  readonly maxJobs: number;
  /** How often the permission of a caller is checked again. Milliseconds. */
  readonly checkEveryMs: number;
  readonly refused: Refused;
  /** Called with how many are open. */
  readonly onCount: (kind: Kind, open: number) => void;
}

export type Kind = 'waits' | 'watches';

/** What ends work on a call that stays open. */
export type End = (error: RpcError) => void;

/**
 * The calls that stay open for long: bounded in number and in the jobs they name, of each caller to its fair share. They end when the
 * process stops, when their caller goes, and when it may not watch their queues any more.
 */
export class OpenStreams {
  private readonly calls: Record<Kind, OpenCalls>;
  private readonly jobs: FairShares;
  private isStopping = false;

  constructor(private readonly options: OpenStreamsOptions) {
    const { maxWaits, maxWatches, maxJobs, onCount } = options;
    this.calls = {
      waits: new OpenCalls(maxWaits, (open) => onCount('waits', open)),
      watches: new OpenCalls(maxWatches, (open) => onCount('watches', open)),
    };
    this.jobs = new FairShares(maxJobs);
  }

  /**
   * Does the work of an open call. `end` is called at most once with why it has to end; the work then settles by itself. Rejects with
   * RESOURCE_EXHAUSTED where there is no room for it.
   * @param jobs How many jobs it names; 0 for a whole job set
   */
  async run<T>(
    kind: Kind,
    caller: Caller,
    { queues, jobs }: { readonly queues: ReadonlySet<string>; readonly jobs: number },
    end: End,
    work: () => Promise<T>,
  ): Promise<T> {
    const pool = this.calls[kind];
    const entry = pool.enter(caller.key, () => end(stopping()));
    if (entry === undefined) throw limitReached(`open_${kind}`, pool.shares, this.options.refused);
    if (jobs > 0 && !this.jobs.take(caller.key, jobs)) {
      entry.leave();
      throw limitReached('awaited_jobs', this.jobs, this.options.refused);
    }
    caller.whenGone(() => end(new RpcError(status.CANCELLED, 'the caller cancelled the call')));
    const checks = setInterval(() => void this.check(caller, queues, end), this.options.checkEveryMs).unref();
    if (this.isStopping) end(stopping());
    try {
      return await this.options.admission.openFor(caller, work);
    } finally {
      clearInterval(checks);
      if (jobs > 0) this.jobs.release(caller.key, jobs);
      entry.leave();
    }
  }

  /** Ends them all: the process stops. */
  stop(): void {
    this.isStopping = true;
    this.calls.waits.endAll();
    this.calls.watches.endAll();
  }

  /** No verdict is no denial: the call goes on. */
  private async check(caller: Caller, queues: ReadonlySet<string>, end: End): Promise<void> {
    for (const queue of queues) {
      try {
        await this.options.access.toQueue(caller, queue);
      } catch (error) {
        if (error instanceof RpcError && error.code !== status.UNAVAILABLE) end(error);
      }
    }
  }
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
