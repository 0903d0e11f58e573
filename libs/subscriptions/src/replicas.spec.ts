import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { formatKey } from '@ajs/redis-keys';
import { RedisServer, eventually } from '@ajs/testing';
import { Replicas } from './replicas.js';

const KEY = formatKey({ kind: 'replicas' });
let server: RedisServer;
let redis: RedisClient;
const replicas: Replicas[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
});
afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.leave()));
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function replica(id: string, held: { count: number }): Replicas {
  const one = new Replicas(
    redis,
    id,
    () => held.count,
    () => undefined,
  );
  replicas.push(one);
  return one;
}

const announced = (id: string, count: number) =>
  eventually(`${id} announces ${count}`, async () => (await redis.hget(KEY, id))?.startsWith(`${count}@`));

describe('the share of a replica', () => {
  it('is everything while it is alone, however fast it takes more', async () => {
    const held = { count: 5 };
    const alone = replica('a', held);
    await announced('a', 5);
    held.count = 500;
    expect(alone.aboveShare()).toBe(false);
  });

  it('is half of it all with another, by more than a few', async () => {
    const [mine, theirs] = [{ count: 100 }, { count: 0 }];
    const a = replica('a', mine);
    replica('b', theirs);
    await eventually('the other is known', () => a.aboveShare());
    mine.count = 2;
    expect(a.aboveShare()).toBe(false);
  });

  it('counts nobody who has not announced itself for a while, or has left', async () => {
    await redis.hset(KEY, 'dead', '0@1');
    const a = replica('a', { count: 100 });
    await eventually('the dead one is forgotten', async () => (await redis.hexists(KEY, 'dead')) === 0);
    expect(a.aboveShare()).toBe(false);
    await a.leave();
    expect(await redis.hexists(KEY, 'a')).toBe(0);
  });
});
