/** What Armada said to the credential; `bad-credentials` holds for every queue. */
export type ArmadaVerdict = 'yes' | 'no' | 'no-queue' | 'bad-credentials';

/**
 * Armada, asked with exactly the caller's `authorization`, or with none. Both reject where Armada settles nothing within 5 s;
 * the message says why and holds no secret.
 */
export interface ArmadaPermissions {
  /** Whether Armada takes the credential for somebody. */
  authenticates(authorization: string | undefined): Promise<'yes' | 'bad-credentials'>;
  mayWatch(authorization: string | undefined, queue: string): Promise<ArmadaVerdict>;
}
