export { systemClock, type Clock } from './clock.js';
export { completesWithin } from './completes-within.js';
export { jwtExpiry } from './jwt-expiry.js';
export { monotonicNow } from './monotonic-now.js';
export { TokenBucket, type TokenRate } from './token-bucket.js';
