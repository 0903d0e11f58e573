export { requireAuthMode } from './auth-mode.js';
export { problemOfAuthorization } from './authorization.js';
