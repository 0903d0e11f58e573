import { jest } from '@jest/globals';
import { MonotonicTime } from '@ajs/job-state';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisKeys } from '@ajs/redis-keys';
import { completesWithin } from '@ajs/platform';
import { RedisServer, eventually } from '@ajs/testing';
import { AssignmentId } from './assignment-id.js';
import { COLD, WARM, heatOf, type Heat } from './heat.js';
import { WatchBudget, type WatchClaimant } from './watch-budget.js';

const KEYS = new RedisKeys();

/** With an event a second. */
const HOT = heatOf({ pollAge: 0, pollsPerMinute: 1, eventsPerMinute: 60, unfinished: 1 });
const KEY = KEYS.format({ kind: 'replicas' });
const ignore = (): void => undefined;
let server: RedisServer;
let redis: RedisClient;
const replicas: WatchBudget[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', ignore);
});
afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.leave()));
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function replica(
  replicaId: string,
  budget: number,
  { now, onError = ignore }: { readonly now?: () => MonotonicTime; readonly onError?: () => void } = {},
): WatchBudget {
  const one = new WatchBudget({ redis, replicaId, budget, onError, ...(now && { now }) });
  one.start();
  replicas.push(one);
  return one;
}

/** A replica that announces what changes, and nothing in between. */
function withoutTicks(replicaId: string, budget: number, now?: () => MonotonicTime): WatchBudget {
  const one = new WatchBudget({ redis, replicaId, budget, onError: ignore, ...(now && { now }) });
  replicas.push(one);
  return one;
}

/** A replica that has announced itself, and whose seconds pass when a test says so. */
function ticking(replicaId: string, budget: number, now?: () => MonotonicTime) {
  const timers = jest.spyOn(globalThis, 'setInterval').mockReturnValueOnce(undefined as never);
  const one = replica(replicaId, budget, { ...(now && { now }) });
  const [tick] = timers.mock.calls[0] ?? [];
  timers.mockRestore();
  return { one, tick: tick as () => void };
}

/** For a job set that stays as hot as it is. */
function claimant(heat: Heat, revoke: () => void = ignore): WatchClaimant {
  return { heat: () => heat, revoke };
}

/** Claims so many watches; says how many were given. */
async function claim(of: WatchBudget, prefix: string, count: number, heat: Heat = COLD): Promise<number> {
  const given = await Promise.all(
    Array.from({ length: count }, (_, n) => of.claim(AssignmentId(`${prefix}${n}`), claimant(heat))),
  );
  return given.filter(Boolean).length;
}

/** A replica that said `ago` milliseconds ago that it holds so many watches, and nothing since. */
async function silent(id: string, held: number, ago: number): Promise<void> {
  const [seconds] = await redis.time();
  await redis.hset(KEY, id, `${Number(seconds) * 1_000 - ago} ${held} 0 0`);
}

/** Resolves after the next tick of a replica. */
async function announcedAgain(id: string): Promise<void> {
  const before = await redis.hget(KEY, id);
  await eventually('it is announced again', async () => (await redis.hget(KEY, id)) !== before);
}

describe('the watch budget', () => {
  it('is never exceeded by all replicas together, whatever they claim and release at the same time', async () => {
    const all = ['a', 'b', 'c'].map((id) => replica(id, 20));
    const held = new Map<AssignmentId, WatchBudget>();
    let most = 0;
    const churn = async (one: WatchBudget, name: string): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        const id = AssignmentId(`${name}${round}`);
        if (await one.claim(id, claimant([COLD, WARM, HOT][round % 3] ?? COLD))) {
          held.set(id, one);
          most = Math.max(most, held.size);
        }
        if (round % 4 === 3) {
          for (const [other, holder] of held) {
            if (holder !== one) continue;
            held.delete(other);
            one.release(other);
            break;
          }
        }
      }
    };
    await Promise.all(all.flatMap((one, i) => ['x', 'y', 'z'].map((n) => churn(one, `${i}${n}`))));
    expect(most).toBe(20);
  });

  it('counts the watches of a replica that leaves until they are closed, and gives it no share', async () => {
    const [a, b] = [replica('a', 10), replica('b', 10)];
    await claim(a, 'a', 5);
    await claim(b, 'b', 5);
    await eventually('they know of each other', () => a.replicas === 2 && b.replicas === 2);
    await a.startLeaving();
    expect(await a.claim(AssignmentId('more'), claimant(HOT))).toBe(false);
    expect(await b.confirmAboveShare()).toBe(false);
    expect(await claim(b, 'more', 1)).toBe(0);
    expect(b.replicas).toBe(1);
    for (let n = 0; n < 5; n++) a.release(AssignmentId(`a${n}`));
    await eventually('what it has closed is free', async () => (await claim(b, 'c', 1)) === 1);
  });

  it('is free again at once when a replica leaves', async () => {
    const [a, b] = [replica('a', 10), replica('b', 10)];
    expect(await claim(a, 'a', 10)).toBe(10);
    expect(await claim(b, 'b', 1)).toBe(0);
    await a.leave();
    expect(await claim(b, 'b', 10)).toBe(10);
  });

  it('is free again after a while where a replica leaves while Redis is unavailable, which is reported', async () => {
    const errors: string[] = [];
    const onError = ({ message }: Error): void => void errors.push(message);
    const one = new WatchBudget({ redis, replicaId: 'a', budget: 1, onError });
    redis.disconnect();
    expect(await completesWithin(30_000, one.leave())).toBe(true);
    expect(errors).toEqual(['Connection is closed.']);
    await redis.connect();
  });

  it('is announced at once when it changes, not with the announcement of every second', async () => {
    const [a, b] = [withoutTicks('a', 1), withoutTicks('b', 1)];
    const announced = async (one: string): Promise<string | undefined> =>
      (await redis.hget(KEY, one))?.split(' ')[1];
    expect(await claim(a, 'a', 1)).toBe(1);
    expect(await announced('a')).toBe('1');
    expect(await claim(b, 'b', 1)).toBe(0);
    a.release(AssignmentId('a0'));
    await eventually('it is released', async () => (await announced('a')) === '0');
    expect(await claim(b, 'b', 1)).toBe(1);
    expect(b.replicas).toBe(2);
    await a.startLeaving();
    b.release(AssignmentId('b0'));
    await eventually('it is released', async () => (await announced('b')) === '0');
    expect(b.replicas).toBe(1);
    await a.leave();
    expect(await announced('a')).toBeUndefined();
  });

  it('counts what a killed replica held until 15 s after, since a frozen one keeps its sockets', async () => {
    // Redis' clock goes on, also while the machine stalls: that one has been silent for longer then, and says nothing here.
    const seen = await eventually('the machine does not stall', async () => {
      await silent('killed', 7, 14_000);
      const began = performance.now();
      const a = replica('a', 10);
      const announced = { given: await claim(a, 'a', 10), replicas: a.replicas };
      await a.leave();
      return performance.now() - began < 2_000 && announced;
    });
    expect(seen).toEqual({ given: 3, replicas: 1 });
    await silent('killed', 7, 19_000);
    expect(await claim(replica('b', 10), 'b', 10)).toBe(10);
    expect(await redis.hexists(KEY, 'killed')).toBe(0);
  });

  it('has a replica that cannot reach Redis close its watches before others may have them', async () => {
    let now = 0;
    let failed = 0;
    const a = replica('a', 10, { now: () => MonotonicTime(now), onError: () => failed++ });
    let closed = 0;
    await a.claim(
      AssignmentId('t'),
      claimant(HOT, () => closed++),
    );
    redis.disconnect();
    now = 14_900;
    const before = failed;
    // Each look at the clock ends in one attempt to reach Redis, of which one may have begun before.
    await eventually('the clock was looked at', () => failed >= before + 2);
    expect(closed).toBe(0);
    // Nor is it granted another one.
    expect(await claim(a, 'more', 1, HOT)).toBe(0);
    now = 15_000;
    await eventually('it is closed', () => closed === 1);
    await redis.connect();
  });

  it('goes to hotter job sets: watches of colder ones are revoked, and no cold one is granted what a hot one waits for', async () => {
    const [a, b] = [replica('a', 4), replica('b', 4)];
    const cold: string[] = [];
    for (const id of ['a1', 'a2', 'a3'].map(AssignmentId)) {
      await a.claim(
        id,
        claimant(COLD, () => {
          cold.push(id);
          a.release(id);
        }),
      );
    }
    expect(await claim(a, 'hot', 1, HOT)).toBe(1);
    expect(await claim(b, 'h', 1, HOT)).toBe(0);
    await eventually('a cold one gives up', () => cold.length > 0);
    expect(await claim(a, 'c', 1)).toBe(0);
    expect(await claim(b, 'h', 1, HOT)).toBe(1);
    expect(cold.length).toBeLessThan(3);
  });

  it.each([
    ['one with a bit more than twice as many events', 2, 150, 0],
    ['one with ten times as many events', 2, 600, 1],
    ['two with ten times as many events', 3, 600, 2],
  ])('is taken for %s, and no more of them than wait', async (_, budget, eventsPerMinute, revoked) => {
    const a = replica('a', budget);
    const released: string[] = [];
    for (let n = 0; n < budget; n++) {
      const id = AssignmentId(`held${n}`);
      const revoke = (): void => {
        released.push(id);
        a.release(id);
      };
      await a.claim(id, {
        heat: () => heatOf({ pollAge: 0, pollsPerMinute: 1, eventsPerMinute: 60, unfinished: 1 }),
        revoke,
      });
    }
    const hotter = heatOf({ pollAge: 0, pollsPerMinute: 1, eventsPerMinute, unfinished: 1 });
    const wanted = Math.max(1, revoked);
    expect(await claim(a, 'hotter', wanted, hotter)).toBe(0);
    await announcedAgain('a');
    await announcedAgain('a');
    expect(released).toHaveLength(revoked);
    expect(await claim(a, 'hotter', wanted, hotter)).toBe(revoked);
  });

  it('is taken for hotter ones once a second, and not with every claim: what is being closed is not free yet', async () => {
    const { one, tick } = ticking('a', 1);
    let revoked = 0;
    await one.claim(
      AssignmentId('held'),
      claimant(COLD, () => revoked++),
    );
    tick();
    await claim(one, 'cold', 1);
    for (const prefix of ['first', 'second']) expect(await claim(one, prefix, 1, HOT)).toBe(0);
    expect(revoked).toBe(0);
    tick();
    await eventually('it is revoked', () => revoked === 1);
  });

  it('is announced by a replica as it starts', async () => {
    ticking('a', 1);
    await eventually('it is known', async () => (await redis.hexists(KEY, 'a')) === 1);
  });

  it('is held once by a job set that claims it again', async () => {
    const a = withoutTicks('a', 2);
    for (let n = 0; n < 2; n++) expect(await a.claim(AssignmentId('one'), claimant(HOT))).toBe(true);
    expect(await redis.hget(KEY, 'a')).toMatch(/^\d+ 1 0 0$/);
  });

  it('is claimed no more by a replica that leaves, though there is some', async () => {
    const a = withoutTicks('a', 2);
    await claim(a, 'a', 1);
    await a.startLeaving();
    expect(await claim(a, 'more', 1, HOT)).toBe(0);
  });

  it('is held as of when that was announced, not as of the answer: others count from then', async () => {
    let now = 0;
    const { one, tick } = ticking('a', 1, () => MonotonicTime(now));
    let closed = 0;
    const id = AssignmentId('held');
    await one.claim(
      id,
      claimant(COLD, () => closed++),
    );
    // The next claim is announced in one step with being made.
    await new Promise((resolve) => setImmediate(resolve));
    const answered = claim(one, 'more', 1);
    now = 10_000;
    await answered;
    now = 14_999;
    tick();
    expect(closed).toBe(0);
    // This was announced now, and is not answered yet.
    now = 15_000;
    tick();
    expect(closed).toBe(1);
  });

  it('is not granted by an answer that comes so late that others may have it by then', async () => {
    let now = 0;
    const a = withoutTicks('a', 2, () => MonotonicTime(now));
    const inTime = claim(a, 'in time', 1);
    now = 14_999;
    expect(await inTime).toBe(1);
    // The next claim is announced in one step with being made.
    await new Promise((resolve) => setImmediate(resolve));
    const late = claim(a, 'late', 1);
    now += 15_000;
    expect([await late, a.size]).toEqual([0, 1]);
    expect(await claim(a, 'late', 1)).toBe(1);
  });

  it('is waited for once by a job set that claims it again', async () => {
    const a = withoutTicks('a', 1);
    await claim(a, 'held', 1, HOT);
    for (let n = 0; n < 2; n++) {
      expect(await claim(a, 'waits', 1, HOT)).toBe(0);
      expect(await redis.hget(KEY, 'a')).toMatch(/^\d+ 1 1 0$/);
    }
  });

  it('is not announced any more by a replica that has left, whatever it closes after that', async () => {
    const a = withoutTicks('a', 2);
    await claim(a, 'a', 2);
    await a.leave();
    a.release(AssignmentId('a0'));
    expect(await claim(a, 'more', 1)).toBe(0);
    expect(await redis.hgetall(KEY)).toEqual({});
  });

  it('is refused to whoever claims it while a replica leaves that is still announcing', async () => {
    const a = withoutTicks('a', 2);
    const announced = claim(a, 'a', 1);
    const waits = claim(a, 'b', 1);
    await a.leave();
    expect(await completesWithin(30_000, waits)).toBe(true);
    expect([await announced, await waits]).toEqual([1, 0]);
  });

  it('is free at once when a replica leaves while it announces, also where Redis has to be sent the script', async () => {
    const a = withoutTicks('a', 1);
    await claim(a, 'a', 1);
    await redis.script('FLUSH');
    a.release(AssignmentId('a0'));
    await a.leave();
    expect(await redis.hgetall(KEY)).toEqual({});
  });

  it('is kept for the hottest that waits, at whichever replica', async () => {
    const [a, b] = [withoutTicks('a', 1), withoutTicks('b', 1)];
    await claim(a, 'held', 1, HOT);
    expect(await claim(b, 'hot', 1, HOT)).toBe(0);
    a.release(AssignmentId('held0'));
    await eventually(
      'it is released',
      async () => ((await redis.hget(KEY, 'a')) ?? '').split(' ')[1] === '0',
    );
    expect(await claim(a, 'less', 1, HOT - 1)).toBe(0);
    expect(await claim(b, 'hot', 1, HOT)).toBe(1);
  });

  it('counts what a replica of an earlier version holds, and of those that wait there is none', async () => {
    const [seconds] = await redis.time();
    await redis.hset(KEY, 'earlier', `${Number(seconds) * 1_000} 7 5 5`);
    const a = withoutTicks('a', 10);
    expect(await claim(a, 'a', 10, HOT)).toBe(3);
    expect(a.replicas).toBe(2);
  });

  it('announces itself so that an earlier version counts what it holds', async () => {
    const a = withoutTicks('a', 2);
    await claim(a, 'a', 3, WARM);
    expect(await redis.hget(KEY, 'a')).toMatch(/^\d+ 2 1 0$/);
    await a.leave();
    expect(await redis.hgetall(KEY)).toEqual({});
  });

  it('is waited for until 10 s after a claim that was not granted', async () => {
    let now = 0;
    const a = withoutTicks('a', 1, () => MonotonicTime(now));
    await claim(a, 'held', 1, HOT);
    expect(await claim(a, 'waits', 1, HOT)).toBe(0);
    const waiting = [];
    for (now of [9_999, 10_000]) {
      await claim(a, 'cold', 1);
      waiting.push(((await redis.hget(KEY, 'a')) ?? '').split(' ')[2]);
    }
    // The cold one is among those that wait when it claims, and not afterwards.
    expect(waiting).toEqual(['2', '1']);
  });

  it('revokes no watch of a hot job set, however many wait', async () => {
    const a = replica('a', 2);
    let revoked = 0;
    for (const id of ['1', '2'].map(AssignmentId))
      await a.claim(
        id,
        claimant(HOT, () => revoked++),
      );
    expect(await claim(a, 'more', 5, HOT)).toBe(0);
    await announcedAgain('a');
    expect(revoked).toBe(0);
  });
});

describe('the share of a replica', () => {
  it('is everything while it is alone', async () => {
    const a = replica('a', 100);
    await claim(a, 'a', 100);
    expect(a.isAboveShare()).toBe(false);
  });

  it('is looked at as it stands now before an assignment goes elsewhere: the other may have left', async () => {
    const [a, b] = [withoutTicks('a', 100), withoutTicks('b', 100)];
    await claim(b, 'b', 1);
    await claim(a, 'a', 50);
    expect(a.isAboveShare()).toBe(true);
    expect(await a.confirmAboveShare()).toBe(true);
    await b.leave();
    expect(a.isAboveShare()).toBe(true);
    expect(await a.confirmAboveShare()).toBe(false);
  });

  it('is exceeded by what is more than two above it', async () => {
    const [a, b] = [withoutTicks('a', 100), withoutTicks('b', 100)];
    await claim(b, 'b', 1);
    await claim(a, 'a', 5);
    expect(a.isAboveShare()).toBe(false);
    await claim(a, 'more', 1);
    expect(a.isAboveShare()).toBe(true);
  });

  it('is exceeded by what is more than a twentieth above it, where there are many', async () => {
    const [a, b] = [withoutTicks('a', 300), withoutTicks('b', 300)];
    await claim(b, 'b', 98);
    await claim(a, 'a', 106);
    expect(a.isAboveShare()).toBe(false);
    await claim(a, 'more', 4);
    expect(a.isAboveShare()).toBe(true);
  });

  it('is half of it all with another, by more than a few', async () => {
    const a = replica('a', 100);
    await claim(a, 'a', 50);
    const b = replica('b', 100);
    await eventually('the other is known', () => a.isAboveShare());
    expect(b.isAboveShare()).toBe(false);
    for (let n = 2; n < 50; n++) a.release(AssignmentId(`a${n}`));
    expect(a.isAboveShare()).toBe(false);
  });
});
