export { logConnection } from './log-connection.js';
export { createLog, type Log } from './log.js';
export { IngesterMetrics, Metrics, QueryMetrics } from './metrics.js';
export { throttledLog, type ThrottledLog } from './throttled-log.js';
