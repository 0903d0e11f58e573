export { armadaNow } from './armada-now.js';
export { boundedFetch } from './bounded-fetch.js';
export { systemClock, type Clock } from './clock.js';
export { completesWithin } from './completes-within.js';
export { holdsCertificate } from './holds-certificate.js';
export { jwtExpiry } from './jwt-expiry.js';
export { KubernetesApi, KubernetesApiError, SERVICE_ACCOUNT_FOLDER } from './kubernetes-api.js';
export { monotonicNow } from './monotonic-now.js';
export { TokenBucket } from './token-bucket.js';
