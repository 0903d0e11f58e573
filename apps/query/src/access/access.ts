import { LRUCache } from 'lru-cache';
import {
  AuthError,
  acceptAuthorization,
  refusalText,
  type Authorizer,
  type Credential,
  type Verdict,
} from '@ajs/auth';
import { networkOf } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import { UNRESTRICTED, type JobPermissions } from './job-permissions.js';

/** How many well-formed credentials are recognised at once when they come again. */
const MAX_RECOGNISED = 1_000;
/** A call over many queues has this many checked at a time: the authorizer limits the concurrent checks of one credential. */
const CHECKS_AT_ONCE = 10;

export interface AccessOptions {
  readonly authorizer: Authorizer;
  /** Whether `api.Jobs` requires permission to watch a job's queue; if not, being authenticated is enough. */
  readonly jobsNeedWatch: boolean;
  /**
   * Whether the names of queues are shown only to callers who may watch them. Armada shows them to everyone it authenticates, but
   * callers whom this service authenticates itself may be unknown there.
   */
  readonly queueNamesNeedWatch: boolean;
  /** Waits for a verdict within the work on a call. May reject at once. */
  readonly waiting: <T>(who: Pick<Caller, 'key'>, verdict: () => Promise<T>) => Promise<T>;
}

/** Nothing is in the way of seeing the jobs of a queue. */
export type Allowance = Exclude<Verdict, 'no'>;

/** What a call shows of its caller. */
type Presented = Pick<Caller, 'authorization' | 'certificateName' | 'address'>;
type Identity = Pick<Caller, 'authorization' | 'certificateName' | 'key'>;

/**
 * What callers may see. Verdicts are for a call, never for a connection: proxies share connections among users. Every method rejects
 * with an RpcError: UNAUTHENTICATED where the credentials are malformed or invalid, UNAVAILABLE where there is no verdict.
 */
export class Access {
  /** A credential comes with each poll, thousands of times a second, and is a kilobyte long: it is parsed once. */
  private readonly recognised = new LRUCache<string, Credential>({ max: MAX_RECOGNISED });
  private last: Credential | undefined;

  constructor(private readonly options: AccessOptions) {}

  /**
   * What tells a caller from others, in everything that callers share: the credential, once it has been verified, else the name in the
   * client certificate, else the address. Random credentials make no new callers. Never fails; a malformed credential counts as none.
   */
  readonly keyOf = (who: Presented): string => {
    const identity = this.identityOf(who.authorization);
    if (identity !== undefined) return identity;
    const name = who.certificateName();
    return name === undefined ? networkOf(who.address()) : `certificate ${name}`;
  };

  /**
   * Authenticates the caller by its headers alone. Returns no promise where the verdict is cached; await one as a call that waits. Throws
   * where the credentials are malformed.
   */
  authenticate(who: Identity): void | Promise<void> {
    const pending = this.options.authorizer.authenticate(this.credentialOf(who), who.key);
    const verdict = pending?.catch((error: unknown) => {
      throw fromAuthError(error);
    });
    // A call that is rejected for another reason awaits no verdict, which may be a rejection, too.
    verdict?.catch(() => undefined);
    return verdict;
  }

  /**
   * Throws or rejects with PERMISSION_DENIED, too. Returns no promise where the verdict is cached. `no-queue`: the queue does not exist, so
   * that there is nothing to deny.
   */
  toQueue(who: Identity, queue: string): Allowance | Promise<Allowance> {
    const verdict = this.options.authorizer.mayWatch(this.credentialOf(who), queue, who.key);
    if (!(verdict instanceof Promise)) return allowed(verdict, queue);
    return this.waitFor(who, verdict).then((known) => allowed(known, queue));
  }

  /** As {@link toQueue}, for the jobs of a queue by `api.Jobs`: where being authenticated is enough there, so it is here. */
  async toJobsOf(who: Identity, queue: string): Promise<Allowance> {
    if (this.options.jobsNeedWatch) return this.toQueue(who, queue);
    await this.authenticated(who);
    return 'yes';
  }

  /** Authenticates the caller. Resolves to the jobs that it may see of those that it requests by id alone. */
  async toJobs(who: Identity): Promise<JobPermissions> {
    const credential = await this.authenticated(who);
    return this.options.jobsNeedWatch ? this.toWatched(who, credential) : UNRESTRICTED;
  }

  /**
   * As {@link toQueue}, of several queues: rejects with PERMISSION_DENIED where the caller may not watch one of them, which it names.
   */
  async toQueues(
    who: Identity,
    queues: readonly string[],
  ): Promise<ReadonlyMap<string, Exclude<Verdict, 'no'>>> {
    const verdicts = await this.verdictsOn(who, this.credentialOf(who), queues);
    return new Map(
      Array.from(verdicts, ([queue, verdict]) => {
        if (verdict === 'no') throw new RpcError(status.PERMISSION_DENIED, refusalText(queue));
        return [queue, verdict];
      }),
    );
  }

  /** As {@link toJobs}, where being authenticated is never enough: the caller must be permitted to watch a job's queue. */
  async toWatchedJobs(who: Identity): Promise<JobPermissions> {
    return this.toWatched(who, await this.authenticated(who));
  }

  /** Authenticates the caller. Resolves to those of the queues that it may watch. */
  async toWatchedQueues(who: Identity, queues: Iterable<string>): Promise<ReadonlySet<string>> {
    const credential = await this.authenticated(who);
    return allowedBy(await this.verdictsOn(who, credential, Array.from(new Set(queues))));
  }

  /** Authenticates the caller. Resolves to the queues whose names it may see: none that do not exist. */
  async toQueueNames(who: Identity): Promise<JobPermissions> {
    const credential = await this.authenticated(who);
    if (!this.options.queueNamesNeedWatch) return UNRESTRICTED;
    return {
      isRestricted: true,
      allowedQueues: async (queues) => allowedBy(await this.verdictsOn(who, credential, [...queues])),
    };
  }

  private toWatched(who: Identity, credential: Credential): JobPermissions {
    return {
      isRestricted: true,
      allowedQueues: async (queues) => {
        const verdicts = await this.verdictsOn(who, credential, [...queues]);
        // It may exist a moment later, and an operator would act on a denial.
        if ([...verdicts.values()].includes('no-queue')) throw unknownQueue();
        return allowedBy(verdicts);
      },
    };
  }

  private async authenticated(who: Identity): Promise<Credential> {
    const credential = this.credentialOf(who);
    const pending = this.options.authorizer.authenticate(credential, who.key);
    if (pending instanceof Promise) await this.waitFor(who, pending);
    return credential;
  }

  private async verdictsOn(
    who: Identity,
    credential: Credential,
    queues: readonly string[],
  ): Promise<Map<string, Verdict>> {
    const verdicts = new Map<string, Verdict>();
    for (let begin = 0; begin < queues.length; begin += CHECKS_AT_ONCE) {
      const checks: Promise<unknown>[] = [];
      for (const queue of queues.slice(begin, begin + CHECKS_AT_ONCE)) {
        const pending = this.options.authorizer.mayWatch(credential, queue, who.key);
        if (pending instanceof Promise) checks.push(pending.then((verdict) => verdicts.set(queue, verdict)));
        else verdicts.set(queue, pending);
      }
      if (checks.length > 0) await this.waitFor(who, Promise.all(checks));
    }
    return verdicts;
  }

  private async waitFor<T>(who: Identity, verdict: Promise<T>): Promise<T> {
    // At the limit of waiting calls the verdict is awaited by nobody, and may reject all the same.
    verdict.catch(() => undefined);
    try {
      return await this.options.waiting(who, () => verdict);
    } catch (error) {
      throw fromAuthError(error);
    }
  }

  private credentialOf({ authorization, certificateName }: Identity): Credential {
    // Credentials in the call win over the connection's certificate.
    if (authorization.length === 0) return { authorization: undefined, certificateName: certificateName() };
    try {
      return this.recognise(authorization);
    } catch (error) {
      throw fromAuthError(error);
    }
  }

  /** The same object for the same authorization, while it is recognised. Throws AuthError. */
  private recognise(values: Caller['authorization']): Credential {
    const [value] = values;
    const isAlone = values.length === 1;
    // Most calls carry the credential of the call before them, and comparing is faster than a lookup.
    if (isAlone && this.last !== undefined && value === this.last.authorization) return this.last;
    const recognised = isAlone ? this.recognised.peek(value as string) : undefined;
    if (recognised !== undefined) return (this.last = recognised);
    const credential = { authorization: acceptAuthorization(values) };
    this.recognised.set(value as string, credential);
    return credential;
  }

  private identityOf(values: Caller['authorization']): string | undefined {
    if (values.length === 0) return undefined;
    try {
      return this.options.authorizer.identityOf(this.recognise(values));
    } catch (error) {
      if (error instanceof AuthError) return undefined;
      throw error;
    }
  }
}

function allowed(verdict: Verdict, queue: string): Allowance {
  if (verdict === 'no') throw new RpcError(status.PERMISSION_DENIED, refusalText(queue));
  return verdict;
}

function allowedBy(verdicts: ReadonlyMap<string, Verdict>): Set<string> {
  const allowed = new Set<string>();
  for (const [queue, verdict] of verdicts) if (verdict === 'yes') allowed.add(queue);
  return allowed;
}

function unknownQueue(): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    'cannot check permissions: the queue of a requested job does not exist in Armada; if it was created a moment ago, retry',
  );
}

function fromAuthError(error: unknown): unknown {
  if (!(error instanceof AuthError)) return error;
  return new RpcError(
    error.kind === 'unauthenticated' ? status.UNAUTHENTICATED : status.UNAVAILABLE,
    error.message,
  );
}
