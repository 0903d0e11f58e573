import { randomBytes } from 'node:crypto';
import type { Authorizer } from '@ajs/auth';
import { RedisServer, eventually } from '@ajs/testing';
import {
  ALICE,
  BOB,
  DelegatedHarness,
  EVENTS,
  HEALTH,
  REFUSAL_MS,
  SECRET,
  TTL_MS,
  outcomeOf,
  verdictOf,
} from './testing/delegated-harness.js';

/** A positive verdict is renewed this long before it expires. */
const AHEAD_MS = 15_000;

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

describe('a verdict', () => {
  it("is Armada's, for one credential and one queue", async () => {
    const one = h.replica();
    for (let i = 0; i < 3; i++) {
      expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
      expect(await verdictOf(one, ALICE, 'his')).toBe('no');
      expect(await verdictOf(one, BOB, 'his')).toBe('yes');
      expect(await verdictOf(one, BOB, 'hers')).toBe('no');
    }
    expect(h.armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 2 });
    expect(h.armada.calls.countsOf(BOB)).toEqual({ [EVENTS]: 2 });
  });

  it.each([
    ['yes', 'hers', TTL_MS, AHEAD_MS],
    ['no', 'his', REFUSAL_MS, 1],
    ['no-queue', 'nope', 2_000, 1],
  ])('%s is reused for its time, and then requested again', async (verdict, queue, forMs, lastMs) => {
    const one = h.replica();
    expect(await verdictOf(one, ALICE, queue)).toBe(verdict);
    h.clock.advance(forMs - lastMs);
    expect(await verdictOf(one, ALICE, queue)).toBe(verdict);
    expect(h.checks()).toBe(1);
    h.armada.state.queues.letWatch('hers', {});
    h.armada.state.queues.letWatch('his', { users: ['alice'] });
    h.armada.state.queues.letWatch('nope', { users: ['alice'] });
    h.clock.advance(lastMs);
    expect(await verdictOf(one, ALICE, queue)).toBe(verdict === 'yes' ? 'no' : 'yes');
  });

  it.each([
    ['in memory', ''],
    ['in Redis', SECRET],
  ])('yes, cached %s, is renewed before it expires, and no call waits for that', async (_, secret) => {
    const one = h.replica(secret);
    let shared: string | undefined;
    // Redis has a clock of its own.
    const passInRedis = async (): Promise<void> => {
      if (secret === '') return;
      await eventually('it is in Redis', async () => {
        shared ??= (await h.redis.keys('*'))[0];
        if (shared === undefined || (await h.redis.pttl(shared)) < AHEAD_MS) return false;
        return h.redis.pexpire(shared, AHEAD_MS - 1);
      });
    };
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    await passInRedis();
    h.clock.advance(TTL_MS - AHEAD_MS + 1);
    h.armada.faults.set({ hang: true });
    for (let i = 0; i < 10; i++) expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    await eventually('Armada is asked', () => h.checks() === 2);
    h.armada.faults.set({});
    // Requested later, answered later.
    expect(await verdictOf(one, BOB, 'his')).toBe('yes');
    h.clock.advance(AHEAD_MS);
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    expect(h.armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 2 });
    h.armada.state.queues.letWatch('hers', {});
    await passInRedis();
    h.clock.advance(TTL_MS - 2 * AHEAD_MS + 1);
    await eventually(
      'a permission that is gone is noticed ahead, too',
      async () => (await verdictOf(one, ALICE, 'hers')) === 'no',
    );
  });

  it('yes is reused until it expires where its renewal fails, which is retried every 5 s', async () => {
    const one = h.replica();
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    h.armada.security.hasReadQueues = false;
    h.clock.advance(TTL_MS - AHEAD_MS + 1);
    for (let tries = 1; tries <= 3; tries++) {
      expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
      await eventually('Armada is asked', () => h.armada.calls.countsOf(ALICE)[EVENTS] === 1 + tries);
      // The renewal is over when a later check, of another credential, has failed, too.
      expect(await verdictOf(one, BOB, `hers ${tries}`)).toMatch(/^unavailable/);
      expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
      expect(await verdictOf(one, BOB, `his ${tries}`)).toMatch(/^unavailable/);
      expect(h.armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 1 + tries });
      h.clock.advance(5_000);
    }
    expect(h.armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 4 });
    expect(await verdictOf(one, ALICE, 'hers')).toMatch(/^unavailable/);
  });

  it.each([
    ['yes', 'hers'],
    ['no', 'his'],
    ['no-queue', 'nope'],
  ])('%s does not outlive the token it was given for', async (verdict, queue) => {
    const one = h.replica();
    const alice = h.aliceUntil(h.clock.wall() + 1_000);
    expect(await verdictOf(one, alice, queue)).toBe(verdict);
    h.clock.advance(999);
    expect(await verdictOf(one, alice, queue)).toBe(verdict);
    expect(await outcomeOf(one.authenticate({ authorization: alice }, 'caller'))).toBe('authenticated');
    h.armada.security.rules = { bearerTokens: {} };
    h.clock.advance(1);
    expect(await verdictOf(one, alice, queue)).toMatch(/^unauthenticated/);
  });

  it('is not cached for a token that has expired, even where Armada still accepts it', async () => {
    const one = h.replica(SECRET);
    const alice = h.aliceUntil(h.clock.wall() - 1_000);
    expect(await verdictOf(one, alice, 'hers')).toBe('yes');
    expect(await verdictOf(one, alice, 'hers')).toBe('yes');
    expect(h.checks()).toBe(2);
    expect(await h.redis.dbsize()).toBe(0);
  });

  it('is requested once, however many wait for it', async () => {
    const one = h.replica();
    const answers = await Promise.all(Array.from({ length: 30 }, () => verdictOf(one, ALICE, 'hers')));
    expect(new Set(answers)).toEqual(new Set(['yes']));
    expect(h.checks()).toBe(1);
  });
});

describe('a credential', () => {
  it('that Armada rejects is rejected for every queue, and checked once', async () => {
    const one = h.replica();
    for (const queue of ['hers', 'his', 'nope']) {
      expect(await verdictOf(one, 'Bearer x', queue)).toBe(
        'unauthenticated: Armada rejected your credentials (authorization)',
      );
    }
    expect(await outcomeOf(one.authenticate({ authorization: 'Bearer x' }, 'caller'))).toMatch(
      /^unauthenticated/,
    );
    expect(h.checks()).toBe(1);
    h.clock.advance(REFUSAL_MS);
    h.armada.security.rules = { bearerTokens: { x: { name: 'alice' } } };
    expect(await verdictOf(one, 'Bearer x', 'hers')).toBe('yes');
  });

  it('that is withdrawn is rejected also for queues that it could watch', async () => {
    const one = h.replica();
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    h.armada.security.rules = { bearerTokens: {} };
    expect(await verdictOf(one, ALICE, 'his')).toMatch(/^unauthenticated/);
    expect(await verdictOf(one, ALICE, 'hers')).toMatch(/^unauthenticated/);
  });

  it('is authenticated by Health, or by any verdict', async () => {
    const one = h.replica();
    for (let i = 0; i < 2; i++)
      expect(await outcomeOf(one.authenticate({ authorization: ALICE }, 'caller'))).toBe('authenticated');
    expect(await verdictOf(one, BOB, 'hers')).toBe('no');
    expect(await outcomeOf(one.authenticate({ authorization: BOB }, 'caller'))).toBe('authenticated');
    expect(h.armada.calls.countsOf(ALICE)).toEqual({ [HEALTH]: 1 });
    expect(h.armada.calls.countsOf(BOB)).toEqual({ [EVENTS]: 1 });
  });

  it('that is missing is checked as none, and never replaced by another', async () => {
    const one = h.replica();
    expect(await verdictOf(one, undefined, 'hers')).toBe(
      'unauthenticated: missing credentials (authorization): Armada requires them',
    );
    h.armada.security.rules = { anonymous: true };
    h.armada.state.queues.letWatch('hers', { groups: ['everyone'] });
    h.clock.advance(REFUSAL_MS);
    expect(await verdictOf(one, undefined, 'hers')).toBe('yes');
    expect(await verdictOf(one, undefined, 'his')).toBe('no');
    expect(h.armada.calls.countsOf(undefined)).toEqual({ [EVENTS]: 3 });
    expect(h.checks()).toBe(3);
  });
});

describe('while Armada does not answer', () => {
  it('a cached verdict is reused until it expires, and others are unavailable', async () => {
    const one = h.replica();
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    h.armada.stop();
    h.clock.advance(TTL_MS - 1);
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    const away =
      'unavailable: could not check your permissions with Armada: the check failed with UNAVAILABLE; try again';
    expect(await verdictOf(one, BOB, 'his')).toBe(away);
    h.clock.advance(1);
    expect(await verdictOf(one, ALICE, 'hers')).toBe(away);
  });

  it('since its server has just started, there is no verdict and nothing is cached', async () => {
    const one = h.replica(SECRET);
    h.armada.security.hasReadQueues = false;
    expect(await verdictOf(one, ALICE, 'hers')).toMatch(/^unavailable: .*INTERNAL; try again$/);
    expect(await h.redis.dbsize()).toBe(0);
    h.armada.security.hasReadQueues = true;
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
  });
});

describe('a flood of random credentials from one address', () => {
  const BUSY =
    'unavailable: too many credentials and permissions of yours are being checked right now; try again';
  const flood = (of: Authorizer, size: number): Promise<string[]> =>
    Promise.all(
      Array.from({ length: size }, () =>
        verdictOf(of, `Bearer ${randomBytes(9).toString('base64url')}`, 'hers'),
      ),
    );

  it('reaches Armada and Redis at most 75 times a second', async () => {
    const one = h.replica(SECRET);
    const answers: string[] = [];
    for (let i = 0; i < 50; i++) answers.push(...(await flood(one, 40)));
    expect(answers.filter((answer) => answer === BUSY)).toHaveLength(1_925);
    expect(h.checks()).toBe(75);
    expect(await h.redis.dbsize()).toBeLessThanOrEqual(100);
    h.clock.advance(1_000);
    for (let i = 0; i < 3; i++) await flood(one, 40);
    expect(h.checks()).toBe(150);
  });

  it('is checked at most 37 at a time', async () => {
    const one = h.replica();
    h.armada.security.rules = { anonymous: true };
    h.armada.state.queues.letWatch('hers', { groups: ['everyone'] });
    h.armada.faults.set({ hang: true });
    const answers = flood(one, 200);
    await eventually('Armada has got 37', () => h.checks() === 37);
    h.armada.faults.set({});
    expect((await answers).filter((answer) => answer === BUSY)).toHaveLength(163);
    expect(h.checks()).toBe(37);
  });

  it('evicts no positive verdict, and keeps neither authenticated callers nor those of other addresses from a new one', async () => {
    const one = h.replica();
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    await flood(one, 50);
    // More refusals than are cached.
    for (let i = 0; i < 21; i++) {
      h.clock.advance(1_000);
      await flood(one, 50);
      await flood(one, 50);
    }
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    expect(h.armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 1 });
    h.clock.advance(TTL_MS - 21_000);
    for (let i = 0; i < 3; i++) await flood(one, 50);
    expect(await verdictOf(one, BOB, 'his')).toBe(BUSY);
    expect(await verdictOf(one, BOB, 'his', 'another address')).toBe('yes');
    expect(await verdictOf(one, ALICE, 'hers')).toBe('yes');
    expect(h.armada.calls.countsOf(ALICE)).toEqual({ [EVENTS]: 2 });
  });
});
