import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer } from '@ajs/testing';
import holdWatches from './lua/holdWatches-1.lua';

const KEY = 'replicas';
/** Far enough apart that a machine that stalls for some seconds changes nothing. */
const FREE_AFTER_MS = 1_000_000;
const GONE_AFTER_MS = 100_000;
const NONE = [0, 0, 0];

type Reply = [free: number, replicas: number, held: number, granted: string, waiting: string];
interface Announcement {
  readonly budget: number;
  readonly holds?: number;
  /** By heat, the coldest first. */
  readonly claims?: readonly number[];
  readonly waiting?: readonly number[];
  readonly leaving?: boolean;
}

let server: RedisServer;
let redis: RedisClient & { holdWatches(...args: (string | number)[]): Promise<Reply> };

beforeAll(async () => {
  server = await RedisServer.start();
  const client = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  client.defineCommand('holdWatches', { numberOfKeys: 1, lua: holdWatches });
  redis = client as typeof redis;
});
afterEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

async function announce(
  replica: string,
  { budget, holds = 0, claims = NONE, waiting = NONE, leaving = false }: Announcement,
) {
  const [free, replicas, held, granted, allWaiting] = await redis.holdWatches(
    KEY,
    replica,
    holds,
    budget,
    claims.join(' '),
    waiting.join(' '),
    FREE_AFTER_MS,
    GONE_AFTER_MS,
    leaving ? 'leaving' : '',
  );
  return { free, replicas, held, granted, waiting: allWaiting };
}

/** Another replica that announced itself so long ago. */
async function announcedBefore(replica: string, ms: number, holds: number, waiting: string): Promise<void> {
  const [seconds] = await redis.time();
  await redis.hset(KEY, {
    [replica]: `${Number(seconds) * 1_000 - ms} ${holds} 9 0`,
    [`${replica}:waiting`]: waiting,
  });
}

/** What a replica holds, how many of its job sets wait, and how many of each heat. */
async function announced(replica: string): Promise<unknown[]> {
  const [text, waiting] = await redis.hmget(KEY, replica, `${replica}:waiting`);
  return [...(text ?? '').split(' ').slice(1, 3).map(Number), waiting];
}

describe('the announcement of watches', () => {
  it('is granted the hottest claims first, as far as the budget goes, and waits with the others', async () => {
    expect(await announce('a', { budget: 4, holds: 1, claims: [2, 2, 2], waiting: [0, 1, 0] })).toEqual({
      free: 0,
      replicas: 0,
      held: 0,
      granted: '0 1 2',
      waiting: '2 2 0',
    });
    expect(await announced('a')).toEqual([4, 4, '2 2 0']);
  });

  it('is granted nothing for which hotter job sets wait, here or elsewhere', async () => {
    expect(await announce('a', { budget: 2, claims: [1, 1, 0], waiting: [0, 0, 1] })).toMatchObject({
      free: 1,
      granted: '0 1 0',
      waiting: '1 0 1',
    });
    await announcedBefore('b', 0, 2, '0 1 1');
    expect(await announce('a', { budget: 6, holds: 1, claims: [3, 0, 0] })).toEqual({
      free: 2,
      replicas: 1,
      held: 2,
      granted: '1 0 0',
      waiting: '2 1 1',
    });
    // What waits elsewhere is announced there.
    expect(await announced('a')).toEqual([2, 2, '2 0 0']);
  });

  it('says by how many watches the budget is exceeded, and grants none', async () => {
    await announcedBefore('b', 0, 2, '0 0 0');
    const exceeding = { budget: 3, holds: 3, claims: [1, 0, 1] };
    expect(await announce('a', exceeding)).toMatchObject({ free: -2, granted: '0 0 0', waiting: '1 0 1' });
    expect(await announced('a')).toEqual([3, 2, '1 0 1']);
  });

  it.each([
    ['a moment', 0, { free: 3, replicas: 1, held: 7, waiting: '1 1 1' }],
    ['almost as long as it may', GONE_AFTER_MS - 30_000, { free: 3, replicas: 1, held: 7, waiting: '1 1 1' }],
    ['too long for a share', GONE_AFTER_MS + 5_000, { free: 3, replicas: 0, held: 0, waiting: '0 0 0' }],
    [
      'almost until it is forgotten',
      FREE_AFTER_MS - 30_000,
      { free: 3, replicas: 0, held: 0, waiting: '0 0 0' },
    ],
    ['longer than that', FREE_AFTER_MS + 5_000, { free: 10, replicas: 0, held: 0, waiting: '0 0 0' }],
  ])('counts another replica that has been silent for %s', async (_, ms, expected) => {
    // A newer version may tell more heats apart.
    await announcedBefore('b', ms, 7, '1 1 1 1 1');
    expect(await announce('a', { budget: 10 })).toMatchObject(expected);
    const kept = ms > FREE_AFTER_MS ? ['a', 'a:waiting'] : ['a', 'a:waiting', 'b', 'b:waiting'];
    expect((await redis.hkeys(KEY)).sort()).toEqual(kept);
  });

  it('of a replica that leaves counts what it holds, and gives it no share at once', async () => {
    await announce('a', { budget: 10, holds: 4, waiting: [0, 0, 2], leaving: true });
    expect(await announce('b', { budget: 10 })).toMatchObject({
      free: 6,
      replicas: 0,
      held: 0,
      waiting: '0 0 0',
    });
  });
});
