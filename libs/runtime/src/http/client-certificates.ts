import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';

/** What asks for these can show no certificate: Kubernetes. */
const OPEN_PATHS = new Set(['/healthz', '/readyz']);

/** Refuses what comes over a connection without a verified client certificate. */
export function requireCertificate(
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  if ((request.socket as TLSSocket).authorized || OPEN_PATHS.has(request.url ?? '')) {
    next();
    return;
  }
  const message =
    'a client certificate is needed here, from one of the authorities that QUERY_TLS_CLIENT_CA_FILE names';
  response.writeHead(403, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ error: message, code: 7, message }));
}
