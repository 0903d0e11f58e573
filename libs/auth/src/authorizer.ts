/** What a caller presented with one call; callers may share a connection through a proxy. */
export interface Credential {
  /** As `acceptAuthorization` returns it; `undefined` where the caller sent none. */
  readonly authorization: string | undefined;
  /** The name in the client certificate of the connection, where one was verified. */
  readonly certificateName?: string | undefined;
}

/**
 * - `yes`: the caller may watch the queue.
 * - `no`: it may not.
 * - `no-queue`: there is no such queue, as of up to ten seconds ago. Answer the caller as for an unknown job, never with a refusal.
 */
export type Verdict = 'yes' | 'no' | 'no-queue';

/** Decides who may read. Every API asks it for the queue of each job that it answers about. */
export interface Authorizer {
  /**
   * Tells callers apart whose credential has been verified, whatever its spelling, and holds no secret. `undefined` where the credential
   * is missing, unknown yet, or not checked: anybody may send any number of those.
   */
  identityOf(credential: Credential): string | undefined;
  /**
   * Resolves if the caller may call at all; needed before anything is looked up for a caller that names no queue. Rejects with
   * {@link AuthError}. Returns no promise where the result is cached: most calls need not wait.
   *
   * @param who Whose share of the checks a check takes
   */
  authenticate(credential: Credential, who: string): void | Promise<void>;
  /** Rejects with {@link AuthError} where there is no verdict. Returns no promise where one is cached. `who`: as above. */
  mayWatch(credential: Credential, queue: string, who: string): Verdict | Promise<Verdict>;
}

/** There is no verdict. The message is for the caller: it says what is wrong and what to do, and holds no credential. */
export class AuthError extends Error {
  constructor(
    /**
     * - `unauthenticated`: the credentials are bad, or missing where they are required.
     * - `unavailable`: the check could not be made; trying again later may help.
     */
    readonly kind: 'unauthenticated' | 'unavailable',
    message: string,
  ) {
    super(message);
    this.name = 'AuthError';
  }
}

/** For a caller that may not watch a queue it named: the queue and the missing right. */
export function refusalText(queue: string): string {
  return (
    `permission denied for queue ${JSON.stringify(queue)}: requires permission watch_all_events ` +
    "or the queue's watch verb"
  );
}
