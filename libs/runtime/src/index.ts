export type { ServedTls } from './bounded-http.js';
export { bootstrap, type ProcessContext } from './bootstrap.js';
export type { Check } from './readiness.js';
export { rejectedConnections } from './rejected-connections.js';
export type { AppOptions, Service } from './run-app.js';
