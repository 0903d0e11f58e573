export { completesWithin } from './completes-within.js';
export { monotonicNow } from './monotonic-now.js';
