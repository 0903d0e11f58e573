export { eventually } from './eventually.js';
export { FakeArmada, NEW_METHOD, type FakeArmadaOptions, type RawMethod } from './fake-armada/fake-armada.js';
export { knownJob, type KnownJob } from './fake-armada/known-job.js';
export { jobEvents, runIdOf, type JobRef } from './fake-armada/job-events.js';
export { freePort } from './free-port.js';
export { allRecordings, readRecordings, type Recording, type RecordedMessage } from './recordings.js';
export { RedisClusterServers } from './redis/redis-cluster.js';
export { RedisServer } from './redis/redis-server.js';
export { unary, type Answered, type UnaryMethod } from './unary.js';
