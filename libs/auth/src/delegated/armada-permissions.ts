/** What Armada answered; `bad-credentials` holds for every queue. */
export type ArmadaVerdict = 'yes' | 'no' | 'no-queue' | 'bad-credentials';

/**
 * What Armada lets a caller do, called with exactly the caller's `authorization`, or with none. Both methods reject where Armada
 * gives no verdict within 5 s; the message says why and holds no secret.
 */
export interface ArmadaPermissions {
  /** Whether Armada accepts the credential. */
  authenticates(authorization: string | undefined): Promise<'yes' | 'bad-credentials'>;
  mayWatch(authorization: string | undefined, queue: string): Promise<ArmadaVerdict>;
}
