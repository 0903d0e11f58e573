export { logConnection } from './log-connection.js';
export { createLog, type Log } from './log.js';
export { Metrics } from './metrics.js';
export { throttledLog } from './throttled-log.js';
