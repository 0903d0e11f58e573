import { jest } from '@jest/globals';
import { RedisClusterServers, RedisServer, eventually, redisFlavours, type RedisFlavour } from '@ajs/testing';
import { Redis, type Cluster } from 'ioredis';
import type { JobSetKey } from '@ajs/job-state';
import type { ChangeNotice } from '../change-ports.js';
import {
  RedisJobSetChanges,
  RedisJobSink,
  StaleWriterError,
  createRedisClient,
  isReady,
  type ClientRole,
  type RedisClient,
  type RedisTarget,
} from '../index.js';
import { aBatch, aJobId, aJobSet, aRecord } from '../testing/fixtures.js';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const SINK_OPTIONS = { ttlSeconds: 1_000, onLost: () => {}, onKept: () => {}, onUnreadable: () => {} };

interface Scene {
  readonly sink: RedisJobSink;
  readonly changes: RedisJobSetChanges;
  readonly writer: RedisClient;
  readonly subscriber: RedisClient;
}

async function sceneAt(target: RedisTarget): Promise<Scene> {
  const connect = async (role: ClientRole): Promise<RedisClient> => {
    const client = createRedisClient(target, role, () => undefined);
    cleanUps.push(() => client.disconnect());
    await isReady(client);
    return client;
  };
  const writer = await connect('writer');
  const sink = new RedisJobSink(writer, SINK_OPTIONS);
  const subscriber = await connect('subscriber');
  const changes = new RedisJobSetChanges(await connect('reader'), subscriber);
  return { sink, changes, writer, subscriber };
}

async function server(flavour: RedisFlavour = 'any'): Promise<RedisServer> {
  const started = await RedisServer.start([], { flavour });
  cleanUps.push(() => started.stop());
  return started;
}

async function listen({ changes }: Scene, key: JobSetKey) {
  const notices: ChangeNotice[] = [];
  let interruptions = 0;
  const subscription = await changes.subscribe(key, {
    notice: (notice) => notices.push(notice),
    interrupted: () => interruptions++,
  });
  return { notices, subscription, interruptions: () => interruptions };
}

const FLAVOURS = await redisFlavours();

describe('notices of changes', () => {
  it.each(FLAVOURS)('are not sent of a job set that nobody watches (%s)', async (flavour) => {
    const { url } = await server(flavour);
    const scene = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const { notices } = await listen(scene, key);
    const writer = await scene.sink.open(key);
    await writer.write(aBatch('1:0:0:1', { [aJobId()]: aRecord('RUNNING') }));
    const { position } = await scene.changes.watch(key);
    await writer.write(aBatch('2:0:0:1', {}));
    await eventually('one notice', () => notices.length > 0);
    expect(notices).toEqual([expect.objectContaining({ previous: position?.revision, jobs: [] })]);
    // Nor once nobody has watched it for a while.
    const watched = scene.writer.ownKeys.format({ kind: 'watched', jobSet: key });
    expect(await scene.writer.pttl(watched)).toBeGreaterThan(10_000);
    await scene.writer.del(watched);
    await writer.write(aBatch('3:0:0:1', {}));
    await scene.changes.watch(key);
    await writer.write(aBatch('4:0:0:1', {}));
    await eventually('one more', () => notices.length > 1);
    const [first, second] = notices;
    expect(second?.previous).toBeGreaterThan(first?.revision ?? Infinity);
  });

  it('come again once the subscription is renewed after the connection was lost, which the subscriber hears of', async () => {
    const { url } = await server();
    const scene = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const { notices, subscription, interruptions } = await listen(scene, key);
    const writer = await scene.sink.open(key);
    await scene.changes.watch(key);
    await scene.writer.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually('it hears', () => interruptions() > 0);
    await subscription.renew();
    await writer.write(aBatch('1:0:0:1', {}));
    await eventually('a notice', () => notices.length === 1);
  });

  it('are not taken for subscribed to where Redis refuses that', async () => {
    const { url, port } = await server();
    const admin = new Redis(url);
    cleanUps.push(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all', '&*');
    const scene = await sceneAt({ kind: 'single', url: `redis://app:secret@127.0.0.1:${port}` });
    const { subscription, interruptions } = await listen(scene, aJobSet());
    await admin.call('ACL', 'SETUSER', 'app', '-ssubscribe');
    await expect(subscription.renew()).rejects.toThrow('NOPERM');
    let interruptionsOfRefused = 0;
    const refused = scene.changes.subscribe(aJobSet(), {
      notice: () => undefined,
      interrupted: () => interruptionsOfRefused++,
    });
    await expect(refused).rejects.toThrow('NOPERM');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually('the other hears', () => interruptions() > 0);
    expect(interruptionsOfRefused).toBe(0);
  });

  it('do not come any more once the subscription is closed', async () => {
    const { url } = await server();
    const scene = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const admin = new Redis(url);
    cleanUps.push(() => admin.disconnect());
    const { subscription } = await listen(scene, key);
    const channel = scene.writer.ownKeys.changesChannel(key);
    const subscribers = async () => admin.call('PUBSUB', 'SHARDNUMSUB', channel);
    expect(await subscribers()).toEqual([channel, 1]);
    subscription.close();
    const nobodyListens = () =>
      eventually('nobody listens', async () => ((await subscribers()) as unknown[])[1] === 0);
    await nobodyListens();
    await subscription.renew();
    await nobodyListens();
    // Whoever closes twice closes nothing of those who came later.
    await listen(scene, key);
    subscription.close();
    await listen(scene, aJobSet());
    expect(await subscribers()).toEqual([channel, 1]);
  });

  it('are published as missed where they would be too long', async () => {
    const { url } = await server();
    const scene = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const { notices } = await listen(scene, key);
    const writer = await scene.sink.open(key);
    await scene.changes.watch(key);
    const failure = { reason: 'r'.repeat(3_000) };
    const jobs = Array.from({ length: 400 }, () => [aJobId(), aRecord('FAILED', { failure })] as const);
    await writer.write(aBatch('1:0:0:1', Object.fromEntries(jobs)));
    await eventually('a notice', () => notices.length === 1);
    expect(notices[0]?.jobs).toBeUndefined();
    expect(notices[0]?.revision).toBe((await scene.changes.watch(key)).position?.revision);
  });

  it('may be denied to a writer, whose writes succeed all the same', async () => {
    const { url, port } = await server();
    const admin = new Redis(url);
    cleanUps.push(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-spublish', '&*');
    const scene = await sceneAt({ kind: 'single', url: `redis://app:secret@127.0.0.1:${port}` });
    const key = aJobSet();
    const writer = await scene.sink.open(key);
    const before = (await scene.changes.watch(key)).position?.revision ?? 0;
    await writer.write(aBatch('1:0:0:1', {}));
    expect((await scene.changes.watch(key)).position?.revision).toBeGreaterThan(before);
  });
});

describe('notices of changes in a cluster', () => {
  let cluster: RedisClusterServers;
  let scene: Scene;
  beforeAll(async () => {
    cluster = await RedisClusterServers.start();
  }, 60_000);
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    const nodes = cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
    scene = await sceneAt({ kind: 'cluster', nodes, tls: false });
  });

  it('come from every node, and come once after a renewal', async () => {
    for (const key of Array.from({ length: 8 }, aJobSet)) {
      const { notices, subscription } = await listen(scene, key);
      const writer = await scene.sink.open(key);
      await scene.changes.watch(key);
      await writer.write(aBatch('1:0:0:1', {}));
      await eventually('a notice', () => notices.length === 1);
      await subscription.renew();
      await writer.write(aBatch('2:0:0:1', {}));
      await eventually('another notice, once', () => notices.length === 2);
    }
  });

  it('come from where a slot was moved to, once the subscription is renewed, which the subscriber hears of', async () => {
    const key = aJobSet();
    const { notices, subscription, interruptions } = await listen(scene, key);
    const writer = await scene.sink.open(key);
    await scene.changes.watch(key);
    await cluster.move(scene.writer.ownKeys.metaKey(key), () => Promise.resolve());
    await eventually('it hears', () => interruptions() > 0);
    await subscription.renew();
    await scene.changes.watch(key);
    await writer.write(aBatch('1:0:0:1', {}));
    await eventually('a notice', () => notices.length === 1);
  });

  it('come again by a renewal alone where the client has not noticed that a slot was moved', async () => {
    const key = aJobSet();
    const { notices, subscription } = await listen(scene, key);
    const writer = await scene.sink.open(key);
    await scene.changes.watch(key);
    // It asks once, perhaps a node that has not heard of the move yet.
    const lookUp = jest
      .spyOn(scene.subscriber as Cluster, 'refreshSlotsCache')
      .mockImplementation((learned) => learned?.());
    await cluster.move(scene.writer.ownKeys.metaKey(key), () => Promise.resolve());
    await eventually('it looks for its slots', () => lookUp.mock.calls.length > 0);
    lookUp.mockRestore();
    await scene.changes.watch(key);
    await writer.write(aBatch('1:0:0:1', {}));
    expect(notices).toEqual([]);
    await eventually('it is renewed', () => subscription.renew().then(() => true));
    await writer.write(aBatch('2:0:0:1', {}));
    await eventually('a notice', () => notices.length === 1);
  });
});

describe('a revision', () => {
  it('is never given out again, though Redis lost the writes that it was given to, and their owner has died', async () => {
    const { url } = await server();
    const { sink, changes, writer: redis } = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const meta = redis.ownKeys.metaKey(key);
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', {}));
    const lost = await redis.hgetall(meta);
    await writer.write(aBatch('2:0:0:1', {}));
    const told = (await changes.watch(key)).position?.revision ?? Infinity;
    await redis.hset(meta, lost);
    await eventually('a millisecond passes', async () => {
      const again = await new RedisJobSink(redis, SINK_OPTIONS).open(key);
      await again.write(aBatch('2:0:0:1', {}));
      const revision = (await changes.watch(key)).position?.revision ?? 0;
      await redis.hset(meta, lost);
      return revision > told;
    });
  });

  it.each([
    ['a batch', '2:0:0:1'],
    ['a heartbeat', '1:0:0:1'],
  ])('is not given out again by an owner that has lost %s, though the clock is behind', async (_, cursor) => {
    const { url } = await server();
    const { sink, changes, writer: redis } = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const meta = redis.ownKeys.metaKey(key);
    const writer = await sink.open(key);
    await writer.write(aBatch('1:0:0:1', {}));
    const before = await redis.hgetall(meta);
    await writer.write(aBatch(cursor, {}));
    const told = (await changes.watch(key)).position?.revision ?? Infinity;
    // As a server whose clock is an hour behind.
    await redis.hset(meta, { ...before, origin: Number(before['origin']) + 3_600_000 });
    await expect(writer.write(aBatch(cursor, {}))).rejects.toThrow(StaleWriterError);
    expect(await writer.reload()).toBe(false);
    await (await sink.open(key)).write(aBatch(cursor, {}));
    expect((await changes.watch(key)).position?.revision).toBeGreaterThan(told);
  });

  it('counts anew in the next life of a job set, also where the same owner opens it', async () => {
    const { url } = await server();
    const { sink, changes, writer: redis } = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const meta = redis.ownKeys.metaKey(key);
    await sink.open(key);
    await redis.hset(meta, 'revision', 5_000_000);
    await sink.open(key);
    await redis.del(meta);
    await sink.open(key);
    expect((await changes.watch(key)).position?.revision).toBe(1);
  });

  it('goes on from that of an older version, which counted writes', async () => {
    const { url } = await server();
    const { sink, changes, writer: redis } = await sceneAt({ kind: 'single', url });
    const key = aJobSet();
    const meta = redis.ownKeys.metaKey(key);
    await sink.open(key);
    await redis.hdel(meta, 'origin');
    await redis.hset(meta, 'revision', 5_000_000);
    await (await sink.open(key)).write(aBatch('1:0:0:1', {}));
    expect((await changes.watch(key)).position?.revision).toBe(5_000_001);
    expect(Number(await redis.hget(meta, 'origin'))).toBeGreaterThan(Date.now() - 5_100_000);
  });
});
