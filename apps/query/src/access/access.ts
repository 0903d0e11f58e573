import { LRUCache } from 'lru-cache';
import {
  AuthError,
  acceptAuthorization,
  refusalText,
  type Authorizer,
  type Credential,
  type Verdict,
} from '@ajs/auth';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import { UNRESTRICTED, type JobRights } from './job-rights.js';

/** Credentials that were found well-formed and are recognised at once, as they came. */
const RECOGNISED = 1_000;
/** A call over many queues asks about so many at a time: those who check bound what one credential may have checked at once. */
const CHECKS_AT_ONCE = 10;

export interface AccessOptions {
  readonly authorizer: Authorizer;
  /** Whether `api.Jobs` asks for the right to watch a job's queue, or is content with somebody who is known. */
  readonly jobsNeedWatch: boolean;
  /** Whether names of queues are for those who may watch them: Armada tells everyone whom it knows, and callers of ours may be nobody there. */
  readonly queueNamesNeedWatch: boolean;
  /** Waits within the work on a call for what has to be found out. May reject without a look at it. */
  readonly waiting: <T>(found: () => Promise<T>) => Promise<T>;
}

type Who = Pick<Caller, 'authorization' | 'certificateName'>;

/**
 * What callers may see, put as calls are refused. Verdicts are for a call, never for a connection: proxies share connections
 * among users. Every method rejects with an RpcError: UNAUTHENTICATED where the credentials are malformed or bad, UNAVAILABLE where there
 * is no verdict.
 */
export class Access {
  /** A credential comes with each poll, thousands of times a second, and is a kilobyte long: it is looked at once. */
  private readonly recognised = new LRUCache<string, Credential>({ max: RECOGNISED });
  private last: Credential | undefined;

  constructor(private readonly options: AccessOptions) {}

  /** Rejects with PERMISSION_DENIED, too. `no-queue`: nobody knows the queue, so that there is nothing to refuse. */
  async toQueue(who: Who, queue: string): Promise<Exclude<Verdict, 'no'>> {
    const found = this.options.authorizer.mayWatch(this.credentialOf(who), queue);
    const verdict = found instanceof Promise ? await this.told(found) : found;
    if (verdict === 'no') throw new RpcError(status.PERMISSION_DENIED, refusalText(queue));
    return verdict;
  }

  /** As {@link toQueue}, for `api.Jobs`: where that is content with somebody who is known, it is so of jobs of this queue, too. */
  async toJobsOf(who: Who, queue: string): Promise<Exclude<Verdict, 'no'>> {
    if (this.options.jobsNeedWatch) return this.toQueue(who, queue);
    await this.known(who);
    return 'yes';
  }

  /** What the caller may be told of jobs that it asks for by id alone; it is authenticated already. */
  async toJobs(who: Who): Promise<JobRights> {
    const credential = await this.known(who);
    if (!this.options.jobsNeedWatch) return UNRESTRICTED;
    return {
      isRestricted: true,
      allowedQueues: async (queues) => {
        const verdicts = await this.verdictsOn(credential, [...queues]);
        // It may be there a moment later: no answer that somebody may act on.
        if ([...verdicts.values()].includes('no-queue')) throw unknownQueue();
        return allowedBy(verdicts);
      },
    };
  }

  /** Which queues the caller, who is authenticated already, may be told of; none that nobody knows. */
  async toQueueNames(who: Who): Promise<JobRights> {
    const credential = await this.known(who);
    if (!this.options.queueNamesNeedWatch) return UNRESTRICTED;
    return {
      isRestricted: true,
      allowedQueues: async (queues) => allowedBy(await this.verdictsOn(credential, [...queues])),
    };
  }

  private async known(who: Who): Promise<Credential> {
    const credential = this.credentialOf(who);
    const found = this.options.authorizer.authenticate(credential);
    if (found instanceof Promise) await this.told(found);
    return credential;
  }

  private async verdictsOn(credential: Credential, queues: readonly string[]): Promise<Map<string, Verdict>> {
    const verdicts = new Map<string, Verdict>();
    for (let begin = 0; begin < queues.length; begin += CHECKS_AT_ONCE) {
      const checks: Promise<unknown>[] = [];
      for (const queue of queues.slice(begin, begin + CHECKS_AT_ONCE)) {
        const found = this.options.authorizer.mayWatch(credential, queue);
        if (found instanceof Promise) checks.push(found.then((verdict) => verdicts.set(queue, verdict)));
        else verdicts.set(queue, found);
      }
      if (checks.length > 0) await this.told(Promise.all(checks));
    }
    return verdicts;
  }

  private async told<T>(found: Promise<T>): Promise<T> {
    // Where too many wait already, nobody hears what comes of it.
    found.catch(() => undefined);
    try {
      return await this.options.waiting(() => found);
    } catch (error) {
      throw toRpcError(error);
    }
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

function allowedBy(verdicts: ReadonlyMap<string, Verdict>): Set<string> {
  const allowed = new Set<string>();
  for (const [queue, verdict] of verdicts) if (verdict === 'yes') allowed.add(queue);
  return allowed;
}

function unknownQueue(): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    'Armada does not know the queue of a job that you ask about, and so not who may watch it; try again',
  );
}

function toRpcError(error: unknown): unknown {
  if (!(error instanceof AuthError)) return error;
  return new RpcError(
    error.kind === 'unauthenticated' ? status.UNAUTHENTICATED : status.UNAVAILABLE,
    error.message,
  );
}
