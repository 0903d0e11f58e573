import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { sendHttpError } from './http-errors.js';

/** Kubernetes probes these, and has no certificate to present. */
const OPEN_PATHS = new Set(['/healthz', '/readyz']);

/** Rejects requests over a connection without a verified client certificate, except health probes. */
export function requireCertificate(
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  if ((request.socket as TLSSocket).authorized || OPEN_PATHS.has(request.url ?? '')) {
    next();
    return;
  }
  const message = 'a client certificate is required, issued by an authority in QUERY_TLS_CLIENT_CA_FILE';
  sendHttpError(response, 403, status.PERMISSION_DENIED, message);
}
