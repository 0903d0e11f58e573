export { logConnection } from './log-connection.js';
export { createLog, type Log } from './log.js';
export { Metrics } from './metrics.js';
export { nowAndThen } from './now-and-then.js';
export { processMain, type ProcessContext } from './process-main.js';
export type { Check } from './readiness.js';
export type { AppOptions, Service } from './run-app.js';
export { within } from './within.js';
