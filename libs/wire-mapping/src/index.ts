export { LONGEST_EXTERNAL_URI, LONGEST_REASON, cut } from './bounds.js';
export { EXTERNAL_URI_ANNOTATION, toStreamMessage, type Mapped } from './from-armada.js';
export { JsonApi, type JsonMethod, type JsonProfile, type MethodDefinition } from './json-api.js';
export { jsonSchemas, schemaName, type FieldNotes } from './json-schema.js';
export { fromApiJobState, toApiJobState } from './to-jobs-api.js';
export { toJobEnd } from './to-job-end.js';
export { toJobDetails } from './to-job-details.js';
export { toLegacyResponse } from './to-legacy.js';
export { toArmadaTime, toTimestamp } from './timestamps.js';
