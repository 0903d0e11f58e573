export { requireAuthMode } from './auth-mode.js';
