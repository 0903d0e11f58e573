import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { ManualClock, RedisServer, eventually } from '@ajs/testing';
import type { AuthError } from '../authorizer.js';
import type { ArmadaPermissions, ArmadaVerdict } from './armada-permissions.js';
import { DelegatedAuthorizer } from './delegated-authorizer.js';
import { SharedVerdicts } from './shared-verdicts.js';

const TTL_MS = 60_000;
const REFUSAL_MS = 5_000;
const ALICE = 'Bearer token-of-alice';
/** Stands for a check of the credential alone. */
const CREDENTIAL = 'the credential';

/** Gives scripted verdicts, and records what it was asked about. */
class Armada implements ArmadaPermissions {
  readonly asked: string[] = [];
  verdicts: Record<string, ArmadaVerdict | Promise<ArmadaVerdict>> = {};

  authenticates(): Promise<'yes'> {
    this.asked.push(CREDENTIAL);
    return Promise.resolve('yes');
  }

  mayWatch(_: string | undefined, queue: string): Promise<ArmadaVerdict> {
    this.asked.push(queue);
    return Promise.resolve(this.verdicts[queue] ?? 'no');
  }

  /** How often it was asked about the queue. */
  timesAsked(queue: string): number {
    return this.asked.filter((each) => each === queue).length;
  }
}

let armada: Armada;
let clock: ManualClock;
let authorizer: DelegatedAuthorizer;
beforeEach(() => {
  armada = new Armada();
  clock = new ManualClock();
  authorizer = replica();
});

/** Fails a test that does not expect it. */
function unexpected(error: Error): void {
  throw error;
}

function replica(
  shared?: SharedVerdicts,
  verdictTtlMs = TTL_MS,
  redisFailed = unexpected,
): DelegatedAuthorizer {
  return new DelegatedAuthorizer({
    armada,
    shared,
    verdictTtlMs,
    refusalTtlMs: REFUSAL_MS,
    redisFailed,
    clock,
  });
}

/** Works with a Redis of its own. */
async function withRedis(work: (redis: RedisClient, shared: SharedVerdicts) => Promise<void>): Promise<void> {
  const server = await RedisServer.start();
  const redis = createRedisClient({ kind: 'single', url: server.url }, 'reader', () => undefined);
  try {
    await eventually('Redis answers', () => redis.status === 'ready');
    await work(redis, new SharedVerdicts(redis, 'a secret'));
  } finally {
    redis.disconnect();
    await server.stop();
  }
}

/** The verdict that a caller gets, or why there is none. */
const ask = (queue: string, authorization = ALICE): Promise<string> =>
  Promise.resolve<string>(authorizer.mayWatch({ authorization }, queue, authorization)).catch(
    (error: unknown) => `${(error as AuthError).kind}: ${(error as AuthError).message}`,
  );

describe('the verdict on a credential itself', () => {
  it.each<ArmadaVerdict>(['no', 'no-queue'])(
    'is cached for as long as before after a verdict on a queue that expires sooner: %s',
    async (verdict) => {
      await authorizer.authenticate({ authorization: ALICE }, 'caller');
      armada.verdicts = { other: verdict };
      expect(await ask('other')).toBe(verdict);
      clock.advance(REFUSAL_MS);
      await authorizer.authenticate({ authorization: ALICE }, 'caller');
      expect(armada.asked).toEqual([CREDENTIAL, 'other']);
    },
  );

  it('is cached for longer after a verdict on a queue that expires later', async () => {
    expect(await ask('other')).toBe('no');
    clock.advance(REFUSAL_MS - 1);
    armada.verdicts = { hers: 'yes' };
    expect(await ask('hers')).toBe('yes');
    clock.advance(REFUSAL_MS);
    await authorizer.authenticate({ authorization: ALICE }, 'caller');
    expect(armada.asked).toEqual(['other', 'hers']);
  });
});

describe('the identity of a caller', () => {
  it('is known once Armada has accepted its credential, and is the same in all spellings of that', async () => {
    armada.verdicts = { hers: 'yes' };
    expect(authorizer.identityOf({ authorization: ALICE })).toBeUndefined();
    for (const spelling of [ALICE, ALICE.replace('Bearer', 'bearer')]) {
      expect(await ask('hers', spelling)).toBe('yes');
    }
    const [identity, other] = [ALICE, ALICE.replace('Bearer', 'bearer')].map((authorization) =>
      authorizer.identityOf({ authorization }),
    );
    expect(identity).toBeDefined();
    expect(other).toBe(identity);
    expect(identity).not.toContain('alice');
  });
});

describe('verdicts in Redis', () => {
  it('are left out where Redis is away, which is reported', async () => {
    const errors: Error[] = [];
    const redis = createRedisClient(
      { kind: 'single', url: 'redis://127.0.0.1:1' },
      'reader',
      () => undefined,
    );
    authorizer = replica(new SharedVerdicts(redis, 'a secret'), TTL_MS, (error) => errors.push(error));
    armada.verdicts = { hers: 'yes' };
    expect(await ask('hers')).toBe('yes');
    expect(errors.length).toBeGreaterThan(0);
    redis.disconnect();
  });

  it('are not those on queues that Armada does not know, nor of tokens that have expired', () =>
    withRedis(async (redis, shared) => {
      authorizer = replica(shared);
      const claims = { exp: clock.wall() / 1_000 };
      const expired = `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
      armada.verdicts = { none: 'no-queue', hers: 'yes' };
      expect(await ask('none')).toBe('no-queue');
      expect(await ask('hers', expired)).toBe('yes');
      expect(await ask('hers')).toBe('yes');
      await eventually('the last is shared', async () => (await redis.keys('*')).length > 0);
      expect(await redis.keys('*')).toHaveLength(1);
    }));
});

describe('a credential that Armada rejected', () => {
  const BAD = 'unauthenticated: Armada rejected your credentials (authorization)';

  it('is rejected for every queue, whatever was cached before', async () => {
    armada.verdicts = { hers: 'yes' };
    expect(await ask('hers')).toBe('yes');
    clock.advance(10_000);
    armada.verdicts = { hers: 'bad-credentials', other: 'bad-credentials' };
    expect(await ask('other')).toBe(BAD);
    clock.advance(REFUSAL_MS);
    expect(await ask('hers')).toBe(BAD);
    expect(armada.timesAsked('hers')).toBe(2);
  });

  it('is accepted again by later verdicts, and by no earlier ones', async () => {
    armada.verdicts = { hers: 'yes', other: 'bad-credentials' };
    expect(await ask('hers')).toBe('yes');
    clock.advance(1);
    expect(await ask('other')).toBe(BAD);
    clock.advance(REFUSAL_MS);
    armada.verdicts = { hers: 'no', other: 'yes' };
    for (let i = 0; i < 2; i++) expect(await ask('other')).toBe('yes');
    for (let i = 0; i < 2; i++) expect(await ask('hers')).toBe('no');
    expect(armada.asked).toEqual(['hers', 'other', 'other', 'hers']);
  });

  it('is rejected where refreshing a verdict ahead found that out', async () => {
    armada.verdicts = { hers: 'yes' };
    expect(await ask('hers')).toBe('yes');
    clock.advance(TTL_MS - 10_000);
    armada.verdicts = { hers: 'bad-credentials' };
    expect(await ask('hers')).toBe('yes');
    await eventually('the rejection is seen', async () => (await ask('hers')) === BAD);
    clock.advance(REFUSAL_MS);
    expect(await ask('hers')).toBe(BAD);
    expect(armada.timesAsked('hers')).toBe(3);
  });

  it('is rejected although a check that started before the rejection says yes after it', async () => {
    let answer = (_: ArmadaVerdict): void => undefined;
    armada.verdicts = { hers: new Promise((resolve) => (answer = resolve)), other: 'bad-credentials' };
    const slow = ask('hers');
    clock.advance(1_000);
    expect(await ask('other')).toBe(BAD);
    answer('yes');
    expect(await slow).toBe(BAD);
    expect(await ask('other')).toBe(BAD);
    expect(armada.asked).toEqual(['hers', 'other']);
  });

  it('is not accepted by an older verdict, however many other credentials are rejected after it', async () => {
    authorizer = replica(undefined, 10 * TTL_MS);
    armada.verdicts = { hers: 'yes', other: 'bad-credentials' };
    expect(await ask('hers')).toBe('yes');
    clock.advance(10);
    expect(await ask('other')).toBe(BAD);
    for (let i = 0; i <= 10_000; i++) {
      // As fast as Armada is asked about unknown credentials.
      clock.advance(10);
      expect(await ask('other', `Bearer random-${i}`)).toBe(BAD);
    }
    clock.advance(1_000);
    armada.verdicts = { hers: 'no' };
    expect(await ask('hers')).toBe('no');
  });

  it('is not accepted by an older verdict in Redis', () =>
    withRedis(async (redis, shared) => {
      authorizer = replica(shared);
      armada.verdicts = { hers: 'yes', other: 'bad-credentials' };
      expect(await ask('hers')).toBe('yes');
      await eventually('the verdict is shared', async () => (await redis.dbsize()) === 1);
      const [key = ''] = await redis.keys('*');
      clock.advance(20_000);
      expect(await ask('other')).toBe(BAD);
      await eventually('the rejection is shared, too', async () => (await redis.dbsize()) === 2);
      clock.advance(REFUSAL_MS);
      // Redis has a clock of its own: this lets the same time pass there.
      for (const each of await redis.keys('*'))
        await (each === key ? redis.pexpire(key, TTL_MS - 25_000) : redis.del(each));
      armada.verdicts = { hers: 'no' };
      expect(await ask('hers')).toBe('no');
      clock.advance(REFUSAL_MS);
      // Another replica just got a yes.
      await redis.set(key, 'yes', 'PX', TTL_MS - 1_000);
      expect(await ask('hers')).toBe('yes');
      expect(armada.asked).toEqual(['hers', 'other', 'hers']);
    }));
});

describe('a verdict that another replica shared', () => {
  it('does not count where it lasts longer than any of this one: its settings may be others', () =>
    withRedis(async (redis, shared) => {
      armada.verdicts = { hers: 'yes' };
      authorizer = replica(shared, 10 * TTL_MS);
      expect(await ask('hers')).toBe('yes');
      await eventually('the verdict is shared', async () => (await redis.dbsize()) === 1);
      authorizer = replica(shared);
      armada.verdicts = { hers: 'no' };
      expect(await ask('hers')).toBe('no');
      const [key = ''] = await redis.keys('*');
      await eventually('the newer verdict is shared', async () => (await redis.get(key)) === 'no');
    }));
});

describe('a yes that is about to expire', () => {
  const AHEAD_MS = TTL_MS / 4;
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(async () => {
    armada.verdicts = { hers: 'yes' };
    expect(await ask('hers')).toBe('yes');
  });

  it('is refreshed once less than a quarter of its time is left', async () => {
    clock.advance(TTL_MS - AHEAD_MS);
    expect(await ask('hers')).toBe('yes');
    expect(armada.timesAsked('hers')).toBe(1);
    clock.advance(1);
    expect(await ask('hers')).toBe('yes');
    expect(armada.timesAsked('hers')).toBe(2);
  });

  it('is not refreshed where its token expires with it', async () => {
    const claims = { exp: (clock.wall() + TTL_MS) / 1_000 };
    const token = `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
    expect(await ask('hers', token)).toBe('yes');
    const asked = armada.timesAsked('hers');
    clock.advance(TTL_MS - AHEAD_MS + 1);
    expect(await ask('hers', token)).toBe('yes');
    await settled();
    expect(armada.timesAsked('hers')).toBe(asked);
  });

  it('is refreshed again 5 s after that has failed, and not sooner', async () => {
    clock.advance(TTL_MS - AHEAD_MS + 1);
    armada.verdicts = { hers: Promise.reject(new Error('Armada is away')) };
    for (const [passes, asked] of [
      [0, 2],
      [4_999, 2],
      [1, 3],
    ] as const) {
      clock.advance(passes);
      expect(await ask('hers')).toBe('yes');
      await settled();
      expect(armada.timesAsked('hers')).toBe(asked);
    }
  });

  it('is not refreshed with one in Redis that expires as soon', () =>
    withRedis(async (redis, shared) => {
      authorizer = replica(shared);
      expect(await ask('hers')).toBe('yes');
      const [key = ''] = await eventually('the verdict is shared', async () => {
        const keys = await redis.keys('*');
        return keys.length === 1 && keys;
      });
      clock.advance(TTL_MS - AHEAD_MS + 1);
      // Redis has a clock of its own: this lets the same time pass there.
      await redis.pexpire(key, AHEAD_MS - 1);
      const asked = armada.timesAsked('hers');
      expect(await ask('hers')).toBe('yes');
      await eventually('Armada is asked', () => armada.timesAsked('hers') === asked + 1);
    }));
});

describe('a caller without any permission', () => {
  const BOB = 'Bearer token-of-bob';

  it('that names ever new queues does not keep others from being checked', async () => {
    await authorizer.authenticate({ authorization: ALICE }, 'caller');
    await authorizer.authenticate({ authorization: BOB }, 'caller');
    const answers: string[] = [];
    for (let i = 0; i < 600; i++) answers.push(await ask(`random ${i}`));
    expect(answers.filter((answer) => answer === 'no')).toHaveLength(375);
    expect(answers.at(-1)).toMatch(/^unavailable: too many credentials and permissions of yours/);
    armada.verdicts = { his: 'yes' };
    expect(await ask('his', BOB)).toBe('yes');
    clock.advance(1_000);
    expect(await ask('his')).toBe('yes');
  });

  it('that names many queues at once does not keep others from being checked', async () => {
    await authorizer.authenticate({ authorization: ALICE }, 'caller');
    await authorizer.authenticate({ authorization: BOB }, 'caller');
    clock.advance(1_000);
    let answer = (_: ArmadaVerdict): void => undefined;
    const slow = new Promise<ArmadaVerdict>((resolve) => (answer = resolve));
    const queues = Array.from({ length: 250 }, (_, i) => `random ${i}`);
    armada.verdicts = { ...Object.fromEntries(queues.map((queue) => [queue, slow])), his: 'yes' };
    const answers = Promise.all(queues.map((queue) => ask(queue)));
    expect(await ask('his', BOB)).toBe('yes');
    answer('no');
    expect((await answers).filter((answer) => answer === 'no')).toHaveLength(150);
  });
});
