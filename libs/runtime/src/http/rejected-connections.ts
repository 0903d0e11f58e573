import { type Log, type Metrics, throttledLog } from '@ajs/observability';

/** To be told of each connection that a port refused since it has all it may have: counts it, and logs it once a minute. */
export function rejectedConnections(
  port: 'grpc' | 'http',
  most: number,
  log: Log,
  metrics: Pick<Metrics, 'rejectedConnections'>,
): () => void {
  const isToBeTold = throttledLog();
  return () => {
    metrics.rejectedConnections.inc({ port });
    if (isToBeTold(port))
      log.warn({ port, most }, 'connections are closed as they come: there are as many as may be');
  };
}
