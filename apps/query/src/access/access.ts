import {
  AuthError,
  acceptAuthorization,
  refusalText,
  type Authorizer,
  type Credential,
  type Verdict,
} from '@ajs/auth';
import { BoundedCache } from '@ajs/job-store';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import { EVERY_RIGHT, type JobRights } from './job-rights.js';

/** Credentials that were found well-formed and are recognised at once, as they came. */
const RECOGNISED = 1_000;
/** A call over many queues asks about so many at a time: those who check bound what one credential may have checked at once. */
const CHECKS_AT_ONCE = 10;

type Who = Pick<Caller, 'authorization' | 'certificateName'>;

/**
 * What callers may see, put as calls are refused. Verdicts are for a call, never for a connection: proxies share connections
 * among users. Every method rejects with an RpcError: UNAUTHENTICATED where the credentials are malformed or bad, UNAVAILABLE where there
 * is no verdict.
 */
export class Access {
  /** A credential comes with each poll, thousands of times a second, and is a kilobyte long: it is looked at once. */
  private readonly recognised = new BoundedCache<string, Credential>(RECOGNISED);
  private last: Credential | undefined;

  constructor(
    private readonly authorizer: Authorizer,
    /** Whether `api.Jobs` asks for the right to watch a job's queue, or is content with somebody who is known. */
    private readonly jobsNeedWatch: boolean,
  ) {}

  /** Rejects with PERMISSION_DENIED, too. `no-queue`: nobody knows the queue, so that there is nothing to refuse. */
  async toQueue(who: Who, queue: string): Promise<Exclude<Verdict, 'no'>> {
    const verdict = await this.verdictOn(who, queue);
    if (verdict === 'no') throw new RpcError(status.PERMISSION_DENIED, refusalText(queue));
    return verdict;
  }

  /** What the caller may be told of jobs that it asks for by id alone; it is authenticated already. */
  async toJobs(who: Who): Promise<JobRights> {
    const credential = this.credentialOf(who);
    await told(this.authorizer.authenticate(credential));
    if (!this.jobsNeedWatch) return EVERY_RIGHT;
    return {
      isLimited: true,
      among: (queues) => this.watchable(credential, [...queues]),
    };
  }

  private async watchable(credential: Credential, queues: readonly string[]): Promise<Set<string>> {
    const watchable = new Set<string>();
    for (let begin = 0; begin < queues.length; begin += CHECKS_AT_ONCE) {
      const some = queues.slice(begin, begin + CHECKS_AT_ONCE);
      const verdicts = await told(
        Promise.all(some.map((queue) => this.authorizer.mayWatch(credential, queue))),
      );
      // It may be there a moment later: no answer that somebody may act on.
      if (verdicts.includes('no-queue')) throw unknownQueue();
      for (const [i, queue] of some.entries()) if (verdicts[i] === 'yes') watchable.add(queue);
    }
    return watchable;
  }

  private verdictOn(who: Who, queue: string): Promise<Verdict> {
    return told(this.authorizer.mayWatch(this.credentialOf(who), queue));
  }

  /** The same object for the same authorization, while it is recognised. */
  private credentialOf({ authorization: values, certificateName }: Who): Credential {
    const [value] = values;
    // Who sends credentials is to be known by them.
    if (value === undefined) return { authorization: undefined, certificateName: certificateName() };
    const isAlone = values.length === 1;
    // Most calls carry what the call before them did; to compare is faster than to look up.
    if (isAlone && value === this.last?.authorization) return this.last;
    const known = isAlone ? this.recognised.peek(value as string) : undefined;
    if (known !== undefined) return (this.last = known);
    try {
      const credential = { authorization: acceptAuthorization(values) };
      this.recognised.set(value as string, credential);
      return credential;
    } catch (error) {
      throw toRpcError(error);
    }
  }
}

function unknownQueue(): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    'Armada does not know the queue of a job that you ask about, and so not who may watch it; try again',
  );
}

async function told<T>(finding: Promise<T>): Promise<T> {
  try {
    return await finding;
  } catch (error) {
    throw toRpcError(error);
  }
}

function toRpcError(error: unknown): unknown {
  if (!(error instanceof AuthError)) return error;
  return new RpcError(
    error.kind === 'unauthenticated' ? status.UNAUTHENTICATED : status.UNAVAILABLE,
    error.message,
  );
}
