export { EXTERNAL_URI_ANNOTATION, toStreamMessage, type Mapped } from './from-armada.js';
export { toApiJobState } from './to-jobs-api.js';
export { toLegacyResponse } from './to-legacy.js';
