export { Generation } from './generation.js';
export { jobSetTag, parseJobSetTag, type JobSetTag } from './job-set-tag.js';
export {
  INTEREST_SHARDS,
  FORMER_JOB_INDEX_SHARDS,
  JOB_INDEX_GROUPS,
  PROBE_SHARDS,
  RedisKeys,
  interestShard,
  isKeyPrefix,
  type RedisKey,
} from './redis-keys.js';
export { shardOf } from './shard.js';
export { VerdictDigest } from './verdict-digest.js';
