import type { Brand } from '@ajs/job-state';

/** What stands for a question about a caller in a key: a digest, so that no credential is in the name of a key. */
export type VerdictDigest = Brand<'VerdictDigest'>;

/** Says of a text that it is such a digest: for the one who computes it. */
export function VerdictDigest(hex: string): VerdictDigest {
  return hex as VerdictDigest;
}
