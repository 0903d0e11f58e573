import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { sendHttpError } from './http-errors.js';

/** Kubernetes probes these, and has no certificate to present. */
const OPEN_PATHS = new Set(['/healthz', '/readyz']);

/**
 * The client certificate of a connection, where one was verified. Node's `authorized` is not enough: it is true as well where a client
 * without a certificate resumes a session of TLS 1.3, which an earlier connection without one began.
 */
export function verifiedCertificate(socket: Socket | undefined): X509Certificate | undefined {
  return socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
}

/** Rejects requests over a connection without a verified client certificate, except health probes. */
export function requireCertificate(
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  if (OPEN_PATHS.has(request.url ?? '') || verifiedCertificate(request.socket) !== undefined) {
    next();
    return;
  }
  const message = 'a client certificate is required, issued by an authority in QUERY_TLS_CLIENT_CA_FILE';
  sendHttpError(response, 403, status.PERMISSION_DENIED, message);
}
