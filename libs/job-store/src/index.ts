export { BoundedCache } from './bounded-cache.js';
export { MemoryJobStore } from './memory-store.js';
export {
  STALLED_AFTER_MS,
  StaleWriterError,
  type Batch,
  type DetailedJob,
  type JobDetailsLister,
  type JobLearner,
  type JobLister,
  type JobSetDetails,
  type JobSetLife,
  type JobSetView,
  type JobSetWriter,
  type JobSink,
  type JobStatus,
  type LearnedJob,
  type SubscriptionReport,
  type SubscriptionState,
  type SubscriptionView,
} from './ports.js';
export { isFull, memoryOf, type RedisMemory } from './redis-memory.js';
export { createRedisClient, isReady, type ClientRole, type RedisTarget } from './redis-client.js';
export { RedisJobSetLife, keyTtlSeconds } from './redis-life.js';
export { RedisJobLearner } from './redis-learner.js';
export { RedisJobLister } from './redis-lister.js';
export { RedisJobSink, type RedisSinkOptions } from './redis-sink.js';
export type { RedisClient } from './scripts.js';
