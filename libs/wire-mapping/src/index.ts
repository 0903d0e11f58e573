export { LONGEST_EXTERNAL_URI, LONGEST_REASON, cut } from './bounds.js';
export { EXTERNAL_URI_ANNOTATION, readStreamMessage, toStreamMessage, type Mapped } from './from-armada.js';
export { JsonApi, type JsonMethod, type JsonProfile, type MethodDefinition } from './json-api.js';
export {
  decodeJobStatusRequest,
  encodeJobStates,
  toJobStatusResponse,
  type JobStates,
} from './job-status-bytes.js';
export { jsonSchemas, schemaName, type FieldNotes } from './json-schema.js';
export { StrictReader } from './strict-reader.js';
export { fromApiJobState, toApiJobState } from './to-jobs-api.js';
export { toJobReport } from './to-job-report.js';
export { toJobDetails } from './to-job-details.js';
export { toReportedRuns } from './to-reported-runs.js';
export { toLegacyResponse } from './to-legacy.js';
export { countOfField } from './count-of-field.js';
export { optionalTimestamp, toArmadaTime, toTimestamp } from './timestamps.js';
export {
  decodeBatchGetJobsRequest,
  decodeJobResult,
  encodeJobResult,
  encodeJobResults,
  encodeRef,
  type EncodedJobResult,
  type EncodedRef,
} from './v2/batch-bytes.js';
export { fromV2JobState, toV2JobState } from './v2/job-states.js';
export { toJobRef, toV2Job } from './v2/to-job.js';
export {
  toAbsentResult,
  toFreshness,
  toJobResult,
  type Absent,
  type FreshnessFacts,
} from './v2/to-job-result.js';
