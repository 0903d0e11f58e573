import { jest } from '@jest/globals';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { ManualClock, RedisClusterServers, RedisServer, eventually } from '@ajs/testing';
import { DeadOwners, showConnected } from './dead-owners.js';
import { LEASE_MS } from './leases.js';

const ACTIVE = '{ajs}:follow:active';
const STALLED = '{ajs}:follow:stalled';
const CHECKED = '{ajs}:follow:stalled-check';
const lockOf = (id: string): string => `{ajs}:follow:${id}:lock`;

let server: RedisServer;
let redis: RedisClient;
let clock: ManualClock;
let errors: string[];
let owners: DeadOwners;
const subscribers: RedisClient[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connect();
});
beforeEach(() => {
  clock = new ManualClock();
  errors = [];
  owners = new DeadOwners(
    redis,
    ({ message }) => void errors.push(message),
    () => clock.monotonic(),
  );
});
afterEach(async () => {
  for (const subscriber of subscribers.splice(0)) subscriber.disconnect();
  await eventually('nobody is connected', async () => (await connectedOwners()).length === 0);
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function connect(): RedisClient {
  return createRedisClient({ kind: 'single', url: server.url }, 'work-queue', (error) =>
    errors.push(error.message),
  );
}

const connectedOwners = (): Promise<unknown[]> => redis.pubsub('CHANNELS', `${redis.ownKeys.ownerChannels}*`);

/** A lease whose owner has missed a renewal, and will miss all: it does not run out, however slow the machine is. */
const LATE = 'late';

/** An owner of one assignment, which is called as it is, with a lease that lasts so long yet. */
async function owner(name: string, lease: number | typeof LATE) {
  const subscriber = connect();
  subscribers.push(subscriber);
  await showConnected(subscriber, name, ({ message }) => void errors.push(message));
  const renew = async (until: number | typeof LATE): Promise<void> => {
    await redis.set(lockOf(name), `${name}:7`);
    if (until !== LATE) await redis.pexpire(lockOf(name), until);
  };
  await redis.lpush(ACTIVE, name);
  await renew(lease);
  const disconnect = async (): Promise<void> => {
    subscriber.disconnect();
    const isGone = async (): Promise<boolean> =>
      !(await connectedOwners()).includes(redis.ownKeys.ownerChannel(name));
    await eventually('Redis has noticed', isGone);
  };
  return { disconnect, renew };
}

/** The next look comes in time. */
async function look(): Promise<void> {
  clock.advance(250);
  await owners.look();
}

const leases = async (): Promise<string[]> => (await redis.keys(lockOf('*'))).sort();
const MISSED_MS = LEASE_MS - 1_400;
const MINUTE = 60_000;

describe('the leases of an owner', () => {
  it('are released once its connection has ended and it has missed a renewal, for the next check', async () => {
    const dead = await owner('a', MINUTE);
    await owner('b', LATE);
    await redis.set(CHECKED, '1');
    await look();
    await dead.disconnect();
    await look();
    expect([await leases(), await redis.exists(CHECKED)]).toEqual([[lockOf('a'), lockOf('b')], 1]);
    await dead.renew(LATE);
    await look();
    expect([await leases(), await redis.exists(CHECKED)]).toEqual([[lockOf('b')], 0]);
    expect(await redis.smembers(STALLED)).toEqual(['a']);
  });

  it('are released also where it was connected for long', async () => {
    const dead = await owner('a', LEASE_MS);
    for (let ms = 0; ms <= LEASE_MS; ms += 250) await look();
    await dead.renew(MISSED_MS);
    await dead.disconnect();
    await look();
    expect(await leases()).toEqual([]);
  });

  it('are looked for no more once none can be left', async () => {
    const dead = await owner('a', LEASE_MS);
    await look();
    await dead.disconnect();
    const release = jest.spyOn(redis as unknown as { releaseLeases(): Promise<number> }, 'releaseLeases');
    for (let ms = 0; ms <= LEASE_MS; ms += 250) await look();
    const before = release.mock.calls.length;
    await look();
    expect([before, release.mock.calls.length]).toEqual([LEASE_MS / 250, LEASE_MS / 250]);
    release.mockRestore();
  });

  it('are looked for four times a second until that is stopped, and not before the last look is over', () => {
    jest.useFakeTimers();
    const looks = jest.spyOn(redis, 'pubsub').mockReturnValue(new Promise(() => undefined));
    try {
      owners.start();
      jest.advanceTimersByTime(249);
      expect(looks).not.toHaveBeenCalled();
      jest.advanceTimersByTime(5_000);
      expect(looks).toHaveBeenCalledTimes(1);
      owners.stop();
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      looks.mockRestore();
      jest.useRealTimers();
    }
  });

  it('stay while it is connected, however late its renewal is: it may be frozen', async () => {
    await owner('a', LATE);
    for (let n = 0; n < 4; n++) await look();
    expect(await leases()).toEqual([lockOf('a')]);
  });

  it('stay while it renews them, whatever became of its subscription', async () => {
    const alive = await owner('a', LEASE_MS);
    await look();
    await alive.disconnect();
    for (let n = 0; n < 4; n++) {
      await alive.renew(LEASE_MS);
      await look();
    }
    expect(await leases()).toEqual([lockOf('a')]);
  });

  it('stay where nobody has seen it connected, as where it connects again to a Redis that has restarted', async () => {
    const other = await owner('a', LATE);
    await other.disconnect();
    for (let n = 0; n < 4; n++) await look();
    expect(await leases()).toEqual([lockOf('a')]);
  });

  it('stay where Redis was away long enough for a renewal to be missed', async () => {
    const other = await owner('a', LATE);
    await look();
    await other.disconnect();
    clock.advance(1_000);
    await look();
    await look();
    expect(await leases()).toEqual([lockOf('a')]);
  });

  it('stay where the last look failed: what was seen before that counts no more', async () => {
    const other = await owner('a', LATE);
    await look();
    await other.disconnect();
    const pubsub = redis.pubsub.bind(redis);
    redis.pubsub = () => Promise.reject(new Error('Redis is away'));
    await look();
    redis.pubsub = pubsub;
    await look();
    await look();
    expect([await leases(), errors]).toEqual([[lockOf('a')], ['Redis is away']]);
  });
});

it('an owner is connected by any node of a cluster', async () => {
  const cluster = await RedisClusterServers.start();
  const nodes = cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  const client = createRedisClient({ kind: 'cluster', nodes, tls: false }, 'work-queue', () => undefined);
  const onNodes = cluster.servers.map(({ url }) =>
    createRedisClient({ kind: 'single', url }, 'work-queue', () => undefined),
  );
  try {
    for (const [n, subscriber] of onNodes.entries()) {
      await showConnected(subscriber, `${n}`, () => undefined);
      await client.lpush(ACTIVE, `${n}`);
      await client.set(lockOf(`${n}`), `${n}:7`);
    }
    const inCluster = new DeadOwners(client, ({ message }) => void errors.push(message));
    await eventually('the one whose connection has ended is found', async () => {
      await inCluster.look();
      onNodes[2]?.disconnect();
      return (await client.exists(lockOf('2'))) === 0;
    });
    expect([await client.exists(lockOf('0')), await client.exists(lockOf('1'))]).toEqual([1, 1]);
    expect(errors).toEqual([]);
  } finally {
    client.disconnect();
    for (const subscriber of onNodes) subscriber.disconnect();
    await cluster.stop();
  }
});
