import type { Socket } from 'node:net';
import { TLSSocket, type PeerCertificate } from 'node:tls';

/**
 * The name in the client certificate of a connection: the common name of its subject, as in Kubernetes. `undefined` where there is no
 * verified certificate, or not exactly one name in it. Parses the certificate on each call: some tens of microseconds.
 */
export function certificateNameOf(socket: Socket | undefined): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  return commonNameOf(socket.getPeerCertificate());
}

function commonNameOf(certificate: PeerCertificate | undefined): string | undefined {
  // The types hide that there may be none, or several.
  const name: unknown = certificate?.subject.CN;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
