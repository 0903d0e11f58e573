import { RedisServer } from '@ajs/testing';
import { Generation, formatKey } from '@ajs/redis-keys';
import { aBatch, aJobId, aJobSet, aRecord } from '../testing/conformance.js';
import {
  RedisJobLister,
  RedisJobSink,
  UnreadableRecordError,
  createRedisClient,
  type RedisClient,
} from '../index.js';
import { packJobId } from '../codec/job-id-codec.js';

let server: RedisServer;
let redis: RedisClient;
let sink: RedisJobSink;
let lister: RedisJobLister;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  sink = new RedisJobSink(redis, { ttlSeconds: 1_000, onLost: () => {}, onKept: () => {} });
  lister = new RedisJobLister(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

describe('a record in a state that only a newer version knows', () => {
  it('is unreadable by itself: its neighbours are read, and its writer is told which', async () => {
    const [key, newer, neighbour] = [aJobSet(), aJobId(), aJobId()];
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', { [newer]: aRecord('RUNNING'), [neighbour]: aRecord('RUNNING') }));
    const generation = Generation(
      (await redis.hget(formatKey({ kind: 'meta', jobSet: key }), 'generation')) ?? '',
    );
    const bucket = formatKey({ kind: 'bucket', jobSet: key, generation, bucket: 0 });
    const bytes = (await redis.hgetBuffer(bucket, packJobId(newer))) ?? Buffer.alloc(1);
    bytes[0] = 13;
    await redis.hset(bucket, packJobId(newer), bytes);

    for (const view of [
      await lister.read(key, [newer, neighbour]),
      await lister.readDetails(key, [newer, neighbour]),
    ]) {
      expect(Array.from(view.jobs.keys())).toEqual([neighbour]);
      expect(Array.from(view.unreadable)).toEqual([[newer, expect.stringContaining('state number 13')]]);
      expect(view.subscription?.state).toBe('live');
    }
    await expect((await sink.open(key)).load([neighbour, newer])).rejects.toThrow(UnreadableRecordError);
  });
});
