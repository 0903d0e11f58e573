export { jobSetTag, parseJobSetTag } from './job-set-tag.js';
export {
  ASKS_CHANNEL,
  CANARY_SHARDS,
  DEMAND_SHARDS,
  JOB_INDEX_SHARDS,
  WORK_QUEUE_PREFIX,
  demandShard,
  formatKey,
  parseKey,
  type RedisKey,
} from './redis-keys.js';
export { shardOf } from './shard.js';
