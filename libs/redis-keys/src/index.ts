export { Generation } from './generation.js';
export { jobSetTag, parseJobSetTag, type JobSetTag } from './job-set-tag.js';
export {
  OWNER_CHANNELS,
  READ_REQUESTS_CHANNEL,
  ROLLBACK_SHARDS,
  INTEREST_SHARDS,
  FORMER_JOB_INDEX_SHARDS,
  JOB_INDEX_GROUPS,
  PROBE_SHARDS,
  WORK_QUEUE_PREFIX,
  CHANGES_CHANNELS,
  changesChannel,
  interestShard,
  formatKey,
  ownerChannel,
  parseKey,
  type RedisKey,
} from './redis-keys.js';
export { shardOf } from './shard.js';
export { VerdictDigest } from './verdict-digest.js';
