import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { sendHttpError } from './http-errors.js';

/** Kubernetes probes these, and has no certificate to present. */
const OPEN_PATHS = new Set(['/healthz', '/readyz']);

/**
 * The client certificate of a connection, where one was verified and has not expired. Node's `authorized` is not enough: where a client
 * resumes a session, it tells how the connection that began it was verified, and is true as well where that had no certificate (TLS 1.3).
 */
export function verifiedCertificate(socket: Socket | undefined): X509Certificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate !== undefined && Date.now() < Date.parse(certificate.validTo) ? certificate : undefined;
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
  const message =
    'a client certificate is required that has not expired, issued by an authority in QUERY_TLS_CLIENT_CA_FILE';
  sendHttpError(response, 403, status.PERMISSION_DENIED, message);
}
