import type { Socket } from 'node:net';
import { verifiedCertificate } from '@ajs/runtime';

/**
 * The name in the client certificate of a connection: the common name of its subject, as in Kubernetes. `undefined` where there is no
 * verified certificate, or not exactly one name in it. Parses the certificate on each call: some tens of microseconds.
 */
export function certificateNameOf(socket: Socket | undefined): string | undefined {
  // The type hides that a subject may have none, or several.
  const name: unknown = verifiedCertificate(socket)?.toLegacyObject().subject.CN;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
