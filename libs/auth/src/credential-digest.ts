import { createHash } from 'node:crypto';
import type { Credential } from './authorizer.js';

const digests = new WeakMap<Credential, string>();

/**
 * Of a credential as it came; without an `authorization` that of an empty one. Credentials are secret, and up to 16 KiB long: what is keyed
 * by them holds the digest, which is made once for each object.
 */
export function credentialDigest(credential: Credential): string {
  let digest = digests.get(credential);
  if (digest === undefined) digests.set(credential, (digest = digestOf(credential.authorization ?? '')));
  return digest;
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
