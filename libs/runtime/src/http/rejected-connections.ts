import { throttledLog, type Log, type Metrics } from '@ajs/observability';
import type { ConnectionRejected } from './share-connections.js';

/** Makes a callback for connections that a port rejects at its connection limit: counts each, and logs once a minute. */
export function rejectedConnections(
  port: 'grpc' | 'http' | 'health',
  maxConnections: number,
  log: Log,
  metrics: Pick<Metrics, 'rejectedConnections'>,
): ConnectionRejected {
  const report = throttledLog(log);
  return (limit) => {
    metrics.rejectedConnections.inc({ port, limit });
    report('warn', { port, limit, maxConnections }, 'rejecting connections at the connection limit');
  };
}

/** As {@link rejectedConnections}, for connections that are closed because too many of their requests wait. */
export function pipelinedConnections(
  port: 'http' | 'health',
  log: Log,
  metrics: Pick<Metrics, 'rejectedConnections'>,
): () => void {
  const report = throttledLog(log);
  return () => {
    metrics.rejectedConnections.inc({ port, limit: 'pipelining' });
    report('warn', { port }, 'closing connections that pipeline too many requests');
  };
}
