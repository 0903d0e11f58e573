import { createHash, randomBytes } from 'node:crypto';
import { PermissionProbe, createForwardingChannels } from '@ajs/armada-client';
import { withoutTls } from '@ajs/armada-credentials';
import { createAuthorizer, type AuthError, type Authorizer, type Verdict } from '@ajs/auth';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { FakeArmada, ManualClock, RedisServer, eventually } from '@ajs/testing';

const SECRET = 'a secret that Redis does not know!';
const ALICE = 'Bearer token-of-alice';
const BOB = `Basic ${Buffer.from('bob:his-password').toString('base64')}`;
const EVENTS = '/api.Event/GetJobSetEvents';
const HEALTH = '/api.Event/Health';
const TTL_MS = 60_000;
const REFUSAL_MS = 5_000;
/** So long before its end a yes is asked for anew. */
const AHEAD_MS = 15_000;

let server: RedisServer;
let redis: RedisClient;
let armada: FakeArmada;
let address: string;
let clock: ManualClock;
let redisErrors: Error[];
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  redis = await connected();
  await redis.flushall();
  armada = new FakeArmada();
  armada.security.rules = {
    basicUsers: { bob: { password: 'his-password' } },
    bearerTokens: { 'token-of-alice': { name: 'alice' } },
  };
  armada.state.queues.letWatch('hers', { users: ['alice'] });
  armada.state.queues.letWatch('his', { users: ['bob'] });
  address = await armada.listen('127.0.0.1:0');
  clock = new ManualClock();
  redisErrors = [];
});
afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp();
  redis.disconnect();
  armada.stop();
});

async function connected(to = server): Promise<RedisClient> {
  const client = createRedisClient({ kind: 'single', url: to.url }, 'reader', () => undefined);
  await eventually('Redis answers', () => client.status === 'ready');
  return client;
}

/** One replica of the query. Its clock is {@link clock}. */
function replica(authCacheSecret = '', client = redis): Authorizer {
  const channels = createForwardingChannels(withoutTls(address), 65_536);
  cleanups.push(() => channels.close());
  const settings = {
    authMode: 'delegated',
    authVerdictTtlMs: TTL_MS,
    authRefusalTtlMs: REFUSAL_MS,
  } as const;
  return createAuthorizer(
    {
      settings: { ...settings, authCacheSecret },
      env: {},
      armada: new PermissionProbe(channels),
      grants: { watchersOf: () => Promise.reject(new Error('nobody asks as us')) },
      redis: client,
      redisFailed: (error) => redisErrors.push(error),
      warn: () => undefined,
    },
    clock,
  );
}

/** What a caller is told: a verdict, or why there is none. */
async function ask(of: Authorizer, authorization: string | undefined, queue: string): Promise<string> {
  return told(of.mayWatch({ authorization }, queue));
}

function told(asked: unknown): Promise<string> {
  return Promise.resolve(asked).then(
    (verdict) => (verdict as Verdict | undefined) ?? 'somebody',
    (error: unknown) => `${(error as AuthError).kind}: ${(error as AuthError).message}`,
  );
}

/** What Armada was asked, in all. */
const asked = (): number => armada.calls.count(EVENTS) + armada.calls.count(HEALTH);

/** A JWT as far as one is read here, which Armada takes for Alice's. */
function aliceUntil(endsAt: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'RS256' })}.${part({ exp: endsAt / 1000 })}.c2ln`;
  armada.security.rules = { bearerTokens: { [token]: { name: 'alice' } } };
  return `Bearer ${token}`;
}

describe('a verdict', () => {
  it("is Armada's, for one credential and one queue", async () => {
    const one = replica();
    for (let i = 0; i < 3; i++) {
      expect(await ask(one, ALICE, 'hers')).toBe('yes');
      expect(await ask(one, ALICE, 'his')).toBe('no');
      expect(await ask(one, BOB, 'his')).toBe('yes');
      expect(await ask(one, BOB, 'hers')).toBe('no');
    }
    expect(armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 2 });
    expect(armada.calls.countsOf(BOB)).toEqual({ [EVENTS]: 2 });
  });

  it.each([
    ['yes', 'hers', TTL_MS, AHEAD_MS],
    ['no', 'his', REFUSAL_MS, 1],
    ['no-queue', 'nope', 2_000, 1],
  ])('%s is believed for its time and then asked for again', async (verdict, queue, forMs, lastMs) => {
    const one = replica();
    expect(await ask(one, ALICE, queue)).toBe(verdict);
    clock.advance(forMs - lastMs);
    expect(await ask(one, ALICE, queue)).toBe(verdict);
    expect(asked()).toBe(1);
    armada.state.queues.letWatch('hers', {});
    armada.state.queues.letWatch('his', { users: ['alice'] });
    armada.state.queues.letWatch('nope', { users: ['alice'] });
    clock.advance(lastMs);
    expect(await ask(one, ALICE, queue)).toBe(verdict === 'yes' ? 'no' : 'yes');
  });

  it.each([
    ['here', ''],
    ['in Redis', SECRET],
  ])(
    'yes, kept %s, is asked for anew before its time is over, and nobody waits for that',
    async (_, secret) => {
      const one = replica(secret);
      let shared: string | undefined;
      // Redis has a clock of its own.
      const passInRedis = async (): Promise<void> => {
        if (secret === '') return;
        await eventually('it is shared', async () => {
          shared ??= (await redis.keys('*'))[0];
          if (shared === undefined || (await redis.pttl(shared)) < AHEAD_MS) return false;
          return redis.pexpire(shared, AHEAD_MS - 1);
        });
      };
      expect(await ask(one, ALICE, 'hers')).toBe('yes');
      await passInRedis();
      clock.advance(TTL_MS - AHEAD_MS + 1);
      armada.faults.set({ hang: true });
      for (let i = 0; i < 10; i++) expect(await ask(one, ALICE, 'hers')).toBe('yes');
      await eventually('Armada is asked', () => asked() === 2);
      armada.faults.set({});
      // Asked later, answered later.
      expect(await ask(one, BOB, 'his')).toBe('yes');
      clock.advance(AHEAD_MS);
      expect(await ask(one, ALICE, 'hers')).toBe('yes');
      expect(armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 2 });
      armada.state.queues.letWatch('hers', {});
      await passInRedis();
      clock.advance(TTL_MS - 2 * AHEAD_MS + 1);
      await eventually(
        'a right that is gone is noticed ahead, too',
        async () => (await ask(one, ALICE, 'hers')) === 'no',
      );
    },
  );

  it('yes serves for its time where asking anew fails, which is tried every 5 s', async () => {
    const one = replica();
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    armada.security.hasReadQueues = false;
    clock.advance(TTL_MS - AHEAD_MS + 1);
    for (let tries = 1; tries <= 3; tries++) {
      expect(await ask(one, ALICE, 'hers')).toBe('yes');
      await eventually('Armada is asked', () => armada.calls.countsOf(ALICE)[EVENTS] === 1 + tries);
      // The last one is over when another credential has been refused an answer, too.
      expect(await ask(one, BOB, `hers ${tries}`)).toMatch(/^unavailable/);
      expect(await ask(one, ALICE, 'hers')).toBe('yes');
      expect(await ask(one, BOB, `his ${tries}`)).toMatch(/^unavailable/);
      expect(armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 1 + tries });
      clock.advance(5_000);
    }
    expect(armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 4 });
    expect(await ask(one, ALICE, 'hers')).toMatch(/^unavailable/);
  });

  it.each([
    ['yes', 'hers'],
    ['no', 'his'],
    ['no-queue', 'nope'],
  ])('%s does not outlive the token it was given for', async (verdict, queue) => {
    const one = replica();
    const alice = aliceUntil(clock.wall() + 1_000);
    expect(await ask(one, alice, queue)).toBe(verdict);
    clock.advance(999);
    expect(await ask(one, alice, queue)).toBe(verdict);
    expect(await told(one.authenticate({ authorization: alice }))).toBe('somebody');
    armada.security.rules = { bearerTokens: {} };
    clock.advance(1);
    expect(await ask(one, alice, queue)).toMatch(/^unauthenticated/);
  });

  it('is not kept for a token that has ended, even if Armada takes it still', async () => {
    const one = replica(SECRET);
    const alice = aliceUntil(clock.wall() - 1_000);
    expect(await ask(one, alice, 'hers')).toBe('yes');
    expect(await ask(one, alice, 'hers')).toBe('yes');
    expect(asked()).toBe(2);
    expect(await redis.dbsize()).toBe(0);
  });

  it('is asked for once, however many wait for it', async () => {
    const one = replica();
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(one, ALICE, 'hers')));
    expect(new Set(answers)).toEqual(new Set(['yes']));
    expect(asked()).toBe(1);
  });
});

describe('a credential', () => {
  it('that Armada does not know is refused for every queue, and asked about once', async () => {
    const one = replica();
    for (const queue of ['hers', 'his', 'nope']) {
      expect(await ask(one, 'Bearer x', queue)).toBe(
        'unauthenticated: Armada rejected your credentials (authorization)',
      );
    }
    expect(await told(one.authenticate({ authorization: 'Bearer x' }))).toMatch(/^unauthenticated/);
    expect(asked()).toBe(1);
    clock.advance(REFUSAL_MS);
    armada.security.rules = { bearerTokens: { x: { name: 'alice' } } };
    expect(await ask(one, 'Bearer x', 'hers')).toBe('yes');
  });

  it('that is taken away is refused for queues that it could watch', async () => {
    const one = replica();
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    armada.security.rules = { bearerTokens: {} };
    expect(await ask(one, ALICE, 'his')).toMatch(/^unauthenticated/);
    expect(await ask(one, ALICE, 'hers')).toMatch(/^unauthenticated/);
  });

  it('is known to be somebody by Health, or by any verdict', async () => {
    const one = replica();
    for (let i = 0; i < 2; i++)
      expect(await told(one.authenticate({ authorization: ALICE }))).toBe('somebody');
    expect(await ask(one, BOB, 'hers')).toBe('no');
    expect(await told(one.authenticate({ authorization: BOB }))).toBe('somebody');
    expect(armada.calls.countsOf(ALICE)).toEqual({ [HEALTH]: 1 });
    expect(armada.calls.countsOf(BOB)).toEqual({ [EVENTS]: 1 });
  });

  it('that is not there is asked about as none, and never stands in for anybody', async () => {
    const one = replica();
    expect(await ask(one, undefined, 'hers')).toBe(
      'unauthenticated: missing credentials (authorization): Armada requires them',
    );
    armada.security.rules = { anonymous: true };
    armada.state.queues.letWatch('hers', { groups: ['everyone'] });
    clock.advance(REFUSAL_MS);
    expect(await ask(one, undefined, 'hers')).toBe('yes');
    expect(await ask(one, undefined, 'his')).toBe('no');
    expect(armada.calls.countsOf(undefined)).toEqual({ [EVENTS]: 3 });
    expect(asked()).toBe(3);
  });
});

describe('while Armada does not answer', () => {
  it('a verdict that is kept serves, for its time, and others are unavailable', async () => {
    const one = replica();
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    armada.stop();
    clock.advance(TTL_MS - 1);
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    const away =
      'unavailable: could not check your permissions with Armada: the check failed with UNAVAILABLE; try again';
    expect(await ask(one, BOB, 'his')).toBe(away);
    clock.advance(1);
    expect(await ask(one, ALICE, 'hers')).toBe(away);
  });

  it('as a server that has just started does not, nothing is concluded and nothing kept', async () => {
    const one = replica(SECRET);
    armada.security.hasReadQueues = false;
    expect(await ask(one, ALICE, 'hers')).toMatch(/^unavailable: .*INTERNAL; try again$/);
    expect(await redis.dbsize()).toBe(0);
    armada.security.hasReadQueues = true;
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
  });
});

describe('replicas with one secret', () => {
  it('share verdicts through Redis, for the rest of their time', async () => {
    const [one, another] = [replica(SECRET), replica(SECRET)];
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    expect(await ask(one, ALICE, 'his')).toBe('no');
    expect(await ask(one, 'Bearer x', 'hers')).toMatch(/^unauthenticated/);
    await eventually('they are in Redis', async () => (await redis.dbsize()) === 3);
    for (const key of await redis.keys('*')) {
      const most = (await redis.get(key)) === 'yes' ? TTL_MS : REFUSAL_MS;
      const left = await redis.pttl(key);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(most);
      // As if it had been there for long.
      await redis.pexpire(key, 3_000);
    }
    expect(await ask(another, ALICE, 'hers')).toBe('yes');
    expect(await ask(another, ALICE, 'his')).toBe('no');
    expect(await ask(another, 'Bearer x', 'his')).toMatch(/^unauthenticated/);
    expect(asked()).toBe(3);
    clock.advance(3_000);
    await redis.flushall();
    expect(await ask(another, ALICE, 'hers')).toBe('yes');
    expect(asked()).toBe(4);
  });

  it('share who is somebody', async () => {
    const [one, another] = [replica(SECRET), replica(SECRET)];
    await one.authenticate({ authorization: ALICE });
    await eventually('it is in Redis', async () => (await redis.dbsize()) === 1);
    await another.authenticate({ authorization: ALICE });
    expect(asked()).toBe(1);
  });

  it('do not share that a queue is not there', async () => {
    const [one, another] = [replica(SECRET), replica(SECRET)];
    expect(await ask(one, ALICE, 'nope')).toBe('no-queue');
    expect(await ask(another, ALICE, 'nope')).toBe('no-queue');
    expect(asked()).toBe(2);
    expect(await redis.dbsize()).toBe(0);
  });

  it('know nothing of verdicts under another secret', async () => {
    expect(await ask(replica(SECRET), ALICE, 'hers')).toBe('yes');
    await eventually('it is in Redis', async () => (await redis.dbsize()) === 1);
    expect(await ask(replica(`another ${SECRET}`), ALICE, 'hers')).toBe('yes');
    expect(asked()).toBe(2);
  });

  it('leave in Redis neither a credential nor what one could be guessed from', async () => {
    const one = replica(SECRET);
    for (const authorization of [ALICE, BOB, undefined, 'Bearer x']) {
      await ask(one, authorization, 'hers');
      await told(one.authenticate({ authorization }));
    }
    await eventually('they are in Redis', async () => (await redis.dbsize()) >= 4);
    const keys = await redis.keys('*');
    const values = await Promise.all(keys.map((key) => redis.get(key)));
    const everything = [...keys, ...values].join('\n');
    const secrets = [
      ALICE,
      'token-of-alice',
      'alice',
      BOB,
      'bob:his-password',
      'his-password',
      'hers',
      SECRET,
    ];
    for (const secret of secrets) {
      expect(everything).not.toContain(secret);
      for (const question of [
        secret,
        `${secret}\nhers`,
        JSON.stringify([secret, 'hers']),
        JSON.stringify([secret, null]),
      ]) {
        for (const algorithm of ['sha256', 'sha512', 'sha1', 'md5']) {
          for (const encoding of ['hex', 'base64', 'base64url'] as const) {
            expect(everything).not.toContain(createHash(algorithm).update(question).digest(encoding));
          }
        }
      }
    }
  });

  it('answer without Redis, too', async () => {
    const lost = await RedisServer.start();
    const client = await connected(lost);
    cleanups.push(
      () => client.disconnect(),
      () => lost.stop(),
    );
    await lost.kill();
    const one = replica(SECRET, client);
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    expect(await ask(one, ALICE, 'his')).toBe('no');
    expect(redisErrors.length).toBeGreaterThan(0);
    expect(redisErrors.map(String).join('\n')).not.toContain('token-of-alice');
  });
});

it('without a secret, nothing is put into Redis or looked for there', async () => {
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
  const before = await commands();
  const one = replica('');
  expect(await ask(one, ALICE, 'hers')).toBe('yes');
  expect(await ask(one, 'Bearer x', 'hers')).toMatch(/^unauthenticated/);
  expect(await redis.dbsize()).toBe(0);
  // This question, and the one about the size.
  expect((await commands()) - before).toBe(2);
});

describe('a flood of random credentials', () => {
  const BUSY = 'unavailable: too many credentials are being checked right now; try again';
  const flood = (of: Authorizer, size: number): Promise<string[]> =>
    Promise.all(
      Array.from({ length: size }, () => ask(of, `Bearer ${randomBytes(9).toString('base64url')}`, 'hers')),
    );

  it('reaches Armada and Redis a hundred times a second at most', async () => {
    const one = replica(SECRET);
    const answers: string[] = [];
    for (let i = 0; i < 50; i++) answers.push(...(await flood(one, 40)));
    expect(answers.filter((answer) => answer === BUSY)).toHaveLength(1_900);
    expect(asked()).toBe(100);
    expect(await redis.dbsize()).toBeLessThanOrEqual(100);
    clock.advance(500);
    await flood(one, 40);
    await flood(one, 40);
    expect(asked()).toBe(150);
  });

  it('is checked fifty at a time at most', async () => {
    const one = replica();
    armada.security.rules = { anonymous: true };
    armada.state.queues.letWatch('hers', { groups: ['everyone'] });
    armada.faults.set({ hang: true });
    const answers = flood(one, 200);
    await eventually('those that are checked have come', () => asked() === 50);
    armada.faults.set({});
    expect((await answers).filter((answer) => answer === BUSY)).toHaveLength(150);
    expect(asked()).toBe(50);
  });

  it('pushes no good verdict out, and keeps nobody from a new one who is known', async () => {
    const one = replica();
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    await flood(one, 50);
    // More refusals than are kept.
    for (let i = 0; i < 21; i++) {
      clock.advance(1_000);
      await flood(one, 50);
      await flood(one, 50);
    }
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    expect(armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 1 });
    clock.advance(TTL_MS - 21_000);
    for (let i = 0; i < 3; i++) await flood(one, 50);
    expect(await ask(one, BOB, 'his')).toBe(BUSY);
    expect(await ask(one, ALICE, 'hers')).toBe('yes');
    expect(armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 2 });
  });
});
