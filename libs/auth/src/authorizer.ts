/** What a caller showed of itself, with one call: proxies share connections among callers. */
export interface Credential {
  /** As {@link acceptAuthorization} gives it; `undefined`: the caller sent none. */
  readonly authorization: string | undefined;
  /** The name in the client certificate of the connection, where one was verified. */
  readonly certificateName?: string | undefined;
}

/**
 * - `yes`: the caller may watch the queue.
 * - `no`: it may not.
 * - `no-queue`: there is no such queue, as far as is known now (it may be ten seconds old). The caller is to see what an unknown
 *   job shows, never a refusal.
 */
export type Verdict = 'yes' | 'no' | 'no-queue';

/** Who may read. Every answer about a job asks for its queue, whichever API it goes out by. */
export interface Authorizer {
  /**
   * Resolves where the caller is somebody who may call at all: what is needed before anything is looked up for a caller that
   * names no queue. Rejects with {@link AuthError}. No promise where that is known already: most calls do not wait.
   */
  authenticate(credential: Credential): void | Promise<void>;
  /** Rejects with {@link AuthError} where there is no verdict. No promise where one is at hand. */
  mayWatch(credential: Credential, queue: string): Verdict | Promise<Verdict>;
}

/** There is no verdict. The message is for the caller: what is wrong and what to do, and never a credential. */
export class AuthError extends Error {
  constructor(
    /**
     * - `unauthenticated`: the credentials are bad, or there are none and there have to be.
     * - `unavailable`: who has to be asked does not answer; asking again later may settle it.
     */
    readonly kind: 'unauthenticated' | 'unavailable',
    message: string,
  ) {
    super(message);
    this.name = 'AuthError';
  }
}

/** For a caller that may not watch a queue it named: which queue, and the right that is missing. */
export function refusalText(queue: string): string {
  return (
    `permission denied for queue ${JSON.stringify(queue)}: requires permission watch_all_events ` +
    "or the queue's watch verb"
  );
}
