import { ManualClock } from '@ajs/testing';
import { CredentialError } from './identity.js';
import { RenewedIdentity } from './renewed-identity.js';
import type { Token } from './token.js';

const MINUTE = 60_000;

/** Everything that does not wait for the world outside has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Fetch {
  answer(lifeMs?: number): void;
  fail(): void;
  readonly signal: AbortSignal;
}

function setUp({
  renew = 'ahead',
  random = 0,
  clock = new ManualClock(),
}: { renew?: 'ahead' | 'on-demand'; random?: number; clock?: ManualClock } = {}) {
  const fetches: Fetch[] = [];
  const events: string[] = [];
  const identity = new RenewedIdentity({
    source: {
      where: 'contexts.main.execAuth (armadactl.yaml)',
      fetch: (signal) =>
        new Promise<Token>((resolve, reject) => {
          const authorization = `Bearer ${fetches.length + 1}`;
          fetches.push({
            answer: (lifeMs) =>
              resolve({ authorization, expiresAt: lifeMs === undefined ? undefined : clock.wall() + lifeMs }),
            fail: () => reject(new Error('the provider is down')),
            signal,
          });
        }),
    },
    renew,
    clock,
    random: () => random,
    observer: {
      renewed: () => events.push('renewed'),
      failed: (_, stillValid) => events.push(stillValid ? 'failed, still valid' : 'failed'),
    },
  });
  /** Has a first token with this life. */
  const begin = async (lifeMs?: number): Promise<void> => {
    const first = identity.authorization();
    fetches[0]?.answer(lifeMs);
    await first;
  };
  return { identity, clock, fetches, events, begin };
}

describe('a token', () => {
  it('is fetched once for all calls that wait for it, and not before the first call', async () => {
    const { identity, fetches } = setUp();
    await settled();
    expect(fetches).toHaveLength(0);
    const calls = [1, 2, 3].map(() => identity.authorization());
    expect(fetches).toHaveLength(1);
    fetches[0]?.answer(10 * MINUTE);
    expect(await Promise.all(calls)).toEqual(['Bearer 1', 'Bearer 1', 'Bearer 1']);
    expect(await identity.authorization()).toBe('Bearer 1');
    expect(fetches).toHaveLength(1);
  });

  it.each([
    ['at half of its life', 10 * MINUTE, 0, 5 * MINUTE],
    ['a minute before it expires where that is sooner', 90_000, 0, 30_000],
    ['not at once where it lives for less than a minute', 40_000, 0, 10_000],
    ['up to a tenth sooner, each replica at another time', 10 * MINUTE, 1, 4.5 * MINUTE],
    ['after a day where it lives for years', 1_000 * 86_400_000, 0, 86_400_000],
  ])('is renewed ahead %s', async (_, life, random, after) => {
    const { identity, clock, fetches, begin } = setUp({ random });
    await begin(life);
    await clock.pass(after - 1);
    expect(fetches).toHaveLength(1);
    await clock.pass(1);
    expect(fetches).toHaveLength(2);
    // Until the next is there, the old one serves.
    expect(await identity.authorization()).toBe('Bearer 1');
    fetches[1]?.answer(life);
    await settled();
    expect(await identity.authorization()).toBe('Bearer 2');
  });

  it('is used until it expires while the next cannot be fetched, with a backoff', async () => {
    const { identity, clock, fetches, events, begin } = setUp();
    await begin(4 * MINUTE);
    await clock.pass(2 * MINUTE);
    for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
      fetches.at(-1)?.fail();
      await settled();
      expect(await identity.authorization()).toBe('Bearer 1');
      const before = fetches.length;
      await clock.pass(wait * 1_000 - 1);
      expect(fetches).toHaveLength(before);
      await clock.pass(1);
      expect(fetches).toHaveLength(before + 1);
    }
    expect(events).toEqual(['renewed', ...Array<string>(7).fill('failed, still valid')]);
    fetches.at(-1)?.answer(4 * MINUTE);
    await settled();
    expect(await identity.authorization()).toBe(`Bearer ${fetches.length}`);
    // The next failure is the first one again.
    await clock.pass(2 * MINUTE);
    const before = fetches.length;
    fetches.at(-1)?.fail();
    await clock.pass(1_000);
    expect(fetches).toHaveLength(before + 1);
  });

  it('is fetched again after up to half of the time, each replica at another one', async () => {
    const { identity, clock, fetches } = setUp({ random: 1 });
    const first = expect(identity.authorization()).rejects.toThrow('the provider is down');
    fetches[0]?.fail();
    await first;
    await clock.pass(499);
    expect(fetches).toHaveLength(1);
    await clock.pass(1);
    expect(fetches).toHaveLength(2);
  });

  it('is fetched again after a failure although the timer for that comes a moment early, as timers do', async () => {
    class HastyClock extends ManualClock {
      override after(ms: number, act: () => void): () => void {
        return super.after(ms - 1, act);
      }
    }
    const { identity, clock, fetches } = setUp({ clock: new HastyClock() });
    const first = expect(identity.authorization()).rejects.toThrow('the provider is down');
    fetches[0]?.fail();
    await first;
    await clock.pass(999);
    expect(fetches).toHaveLength(2);
    fetches[1]?.fail();
    await clock.pass(1_999);
    expect(fetches).toHaveLength(3);
  });

  it('that cannot be fetched fails the call with the reason, and later calls at once until the next attempt', async () => {
    const { identity, clock, fetches, events } = setUp();
    const first = identity.authorization();
    fetches[0]?.fail();
    await expect(first).rejects.toThrow(
      new CredentialError('contexts.main.execAuth (armadactl.yaml)', 'the provider is down').message,
    );
    const later = identity.authorization();
    expect(fetches).toHaveLength(1);
    await expect(later).rejects.toThrow('the provider is down');
    expect(events).toEqual(['failed']);
    await clock.pass(1_000);
    fetches[1]?.answer(10 * MINUTE);
    await settled();
    expect(await identity.authorization()).toBe('Bearer 2');
  });

  it.each([
    ['back', -60 * MINUTE],
    ['forward', 60 * MINUTE],
  ])('lives as long as it was to when it came, though the clock is set %s', async (_, byMs) => {
    const { identity, clock, fetches, begin } = setUp({ renew: 'on-demand' });
    await begin(10 * MINUTE);
    clock.setWall(byMs);
    clock.advance(10 * MINUTE - 1);
    expect(await identity.authorization()).toBe('Bearer 1');
    clock.advance(1);
    const next = identity.authorization();
    fetches[1]?.answer();
    expect(await next).toBe('Bearer 2');
  });

  it('that has expired is not sent', async () => {
    const { identity, clock, fetches, begin } = setUp();
    await begin(10 * MINUTE);
    await clock.pass(5 * MINUTE);
    await clock.pass(5 * MINUTE);
    const call = identity.authorization();
    fetches[1]?.answer(10 * MINUTE);
    expect(await call).toBe('Bearer 2');
  });

  it('that is expired when it arrives is an error that suggests clock skew', async () => {
    const { identity, fetches } = setUp();
    const call = identity.authorization();
    fetches[0]?.answer(0);
    await expect(call).rejects.toThrow('check for clock skew');
  });

  it('that Armada refuses is replaced, and used on if it cannot be', async () => {
    const { identity, clock, fetches, begin } = setUp();
    await begin(60 * MINUTE);
    await clock.pass(5_000);
    identity.refused('Bearer 1');
    const call = identity.authorization();
    expect(fetches).toHaveLength(2);
    fetches[1]?.fail();
    expect(await call).toBe('Bearer 1');
    await clock.pass(1_000);
    fetches[2]?.answer(60 * MINUTE);
    await settled();
    // That at which the first was to be renewed is gone.
    expect(clock.timers).toBe(1);
    // An answer to a call that began before proves nothing of the new one, however old that is.
    await clock.pass(5_000);
    identity.refused('Bearer 1');
    const late = identity.authorization();
    expect(fetches).toHaveLength(3);
    expect(await late).toBe('Bearer 3');
  });

  it('that is new is kept although Armada refuses it: another would be refused as well', async () => {
    const { identity, clock, fetches, begin } = setUp();
    await begin(60 * MINUTE);
    await clock.pass(4_999);
    identity.refused('Bearer 1');
    const call = identity.authorization();
    expect(fetches).toHaveLength(1);
    expect(await call).toBe('Bearer 1');
  });
});

describe('a token on demand', () => {
  it.each([
    ['until it expires', 10 * MINUTE, 10 * MINUTE],
    ['for a minute where its expiry is not known', undefined, MINUTE],
  ])('is kept %s, and then fetched by the next call', async (_, life, kept) => {
    const { identity, clock, fetches, begin } = setUp({ renew: 'on-demand' });
    await begin(life);
    expect(clock.timers).toBe(0);
    await clock.pass(kept - 1);
    expect(await identity.authorization()).toBe('Bearer 1');
    await clock.pass(1);
    const calls = [identity.authorization(), identity.authorization()];
    fetches[1]?.answer(life);
    expect(await Promise.all(calls)).toEqual(['Bearer 2', 'Bearer 2']);
    expect(fetches).toHaveLength(2);
  });
});

describe('a closed identity', () => {
  it('aborts its fetch and fetches no more', async () => {
    const { identity, clock, fetches, events, begin } = setUp();
    await begin(10 * MINUTE);
    await clock.pass(5 * MINUTE);
    identity.close();
    expect(fetches[1]?.signal.aborted).toBe(true);
    fetches[1]?.fail();
    await settled();
    expect(clock.timers).toBe(0);
    expect(events).toEqual(['renewed']);
  });

  it('renews no more a token that it has', async () => {
    const { identity, clock, begin } = setUp();
    await begin(10 * MINUTE);
    identity.close();
    expect(clock.timers).toBe(0);
  });

  it('renews no more a token that came while it was closed', async () => {
    const { identity, clock, fetches } = setUp();
    const first = identity.authorization();
    identity.close();
    fetches[0]?.answer(10 * MINUTE);
    expect(await first).toBe('Bearer 1');
    expect(clock.timers).toBe(0);
  });
});
