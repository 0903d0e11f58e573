export { NewerLayoutError, StaleWriterError } from './errors.js';
export {
  STALLED_AFTER_MS,
  type Batch,
  type DetailedJob,
  type JobDetailsLister,
  type ProvisionalJobSink,
  type JobLister,
  type JobSetDetails,
  type JobSetLife,
  type JobSetView,
  type JobSetWriter,
  type JobSink,
  type JobStatus,
  type JobVersion,
  type ProvisionalJob,
  type ReadJob,
  type StoredRate,
  type SubscriptionReport,
  type SubscriptionState,
  type SubscriptionView,
} from './ports.js';
export {
  JobPosition,
  type JobPage,
  type JobPageRequest,
  type JobSetLister,
  type JobSetSummary,
} from './listing-ports.js';
export {
  WATCHED_FOR_MS,
  type ChangeListener,
  type ChangeNotice,
  type ChangeSubscription,
  type ChangedJob,
  type ChangesPage,
  type JobSetChanges,
  type JobSetMoment,
  type JobSetPosition,
} from './change-ports.js';
export { isPosition, positionOf } from './codec/job-place.js';
export { evictionPolicies } from './client/eviction-policies.js';
export {
  redisErrorKind,
  writeRefusalOf,
  type RedisErrorKind,
  type WriteRefusal,
} from './client/redis-errors.js';
export {
  createRedisClient,
  isReady,
  type ClientRole,
  type RedisClient,
  type RedisTarget,
} from './client/redis-client.js';
export { RedisJobSetLister } from './redis/redis-job-set-lister.js';
export { RedisJobSetChanges } from './redis/redis-changes.js';
export { RedisJobSetLife, keyTtlSeconds } from './redis/redis-life.js';
export { RedisProvisionalJobSink } from './redis/redis-provisional-sink.js';
export { RedisJobLister } from './redis/redis-lister.js';
export { RedisJobSink, type RedisSinkOptions } from './redis/redis-sink.js';
