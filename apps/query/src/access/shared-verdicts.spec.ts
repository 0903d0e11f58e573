import { createHash } from 'node:crypto';
import { RedisServer, eventually } from '@ajs/testing';
import {
  ALICE,
  BOB,
  DelegatedHarness,
  REFUSAL_MS,
  SECRET,
  TTL_MS,
  outcomeOf,
  verdictOf,
} from './testing/delegated-harness.js';

let server: RedisServer;
let h: DelegatedHarness;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  h = await DelegatedHarness.start(server);
});
afterEach(() => h.stop());

describe('replicas with one secret', () => {
  it('share verdicts through Redis, until they expire', async () => {
    const [one, another] = [h.replica(SECRET), h.replica(SECRET)];
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    expect(await verdictOf(one, ALICE, 'his')).toBe('no');
    expect(await verdictOf(one, 'Bearer x', 'hers')).toMatch(/^unauthenticated/);
    await eventually('they are in Redis', async () => (await h.redis.dbsize()) === 3);
    for (const key of await h.redis.keys('*')) {
      const most = (await h.redis.get(key)) === 'yes' ? TTL_MS : REFUSAL_MS;
      const left = await h.redis.pttl(key);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(most);
      // As if it had been there for a while.
      await h.redis.pexpire(key, 3_000);
    }
    expect(await verdictOf(another, ALICE, 'hers')).toBe('yes');
    expect(await verdictOf(another, ALICE, 'his')).toBe('no');
    expect(await verdictOf(another, 'Bearer x', 'his')).toMatch(/^unauthenticated/);
    expect(h.checks()).toBe(3);
    h.clock.advance(3_000);
    await h.redis.flushall();
    expect(await verdictOf(another, ALICE, 'hers')).toBe('yes');
    expect(h.checks()).toBe(4);
  });

  it('share who is authenticated', async () => {
    const [one, another] = [h.replica(SECRET), h.replica(SECRET)];
    await one.authenticate({ authorization: ALICE }, 'caller');
    await eventually('it is in Redis', async () => (await h.redis.dbsize()) === 1);
    await another.authenticate({ authorization: ALICE }, 'caller');
    expect(h.checks()).toBe(1);
  });

  it('do not share that a queue does not exist', async () => {
    const [one, another] = [h.replica(SECRET), h.replica(SECRET)];
    expect(await verdictOf(one, ALICE, 'nope')).toBe('no-queue');
    expect(await verdictOf(another, ALICE, 'nope')).toBe('no-queue');
    expect(h.checks()).toBe(2);
    expect(await h.redis.dbsize()).toBe(0);
  });

  it('do not see verdicts under another secret', async () => {
    expect(await verdictOf(h.replica(SECRET), ALICE, 'hers')).toBe('yes');
    await eventually('it is in Redis', async () => (await h.redis.dbsize()) === 1);
    expect(await verdictOf(h.replica(`another ${SECRET}`), ALICE, 'hers')).toBe('yes');
    expect(h.checks()).toBe(2);
  });

  it('store in Redis neither a credential nor what one could be guessed from', async () => {
    const one = h.replica(SECRET);
    for (const authorization of [ALICE, BOB, undefined, 'Bearer x']) {
      await verdictOf(one, authorization, 'hers');
      await outcomeOf(one.authenticate({ authorization }, 'caller'));
    }
    await eventually('they are in Redis', async () => (await h.redis.dbsize()) >= 4);
    const keys = await h.redis.keys('*');
    const values = await Promise.all(keys.map((key) => h.redis.get(key)));
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
    const one = await h.replicaWithoutRedis();
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    expect(await verdictOf(one, ALICE, 'his')).toBe('no');
    expect(h.redisErrors.length).toBeGreaterThan(0);
    expect(h.redisErrors.map(String).join('\n')).not.toContain('token-of-alice');
  });
});

it('a replica neither writes to Redis nor reads from it without a secret', async () => {
  const commands = async () =>
    Number(/total_commands_processed:(\d+)/.exec(await h.redis.info('stats'))?.[1]);
  const before = await commands();
  const one = h.replica('');
  expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
  expect(await verdictOf(one, 'Bearer x', 'hers')).toMatch(/^unauthenticated/);
  expect(await h.redis.dbsize()).toBe(0);
  // This command, and DBSIZE.
  expect((await commands()) - before).toBe(2);
});
