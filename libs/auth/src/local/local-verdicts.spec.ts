import { ManualClock } from '@ajs/testing';
import { AuthError, type Credential } from '../authorizer.js';
import { parseAuthSection } from './auth-section.js';
import type { VerifiedCaller } from './caller-verifier.js';
import { LocalAuthorizer } from './local-authorizer.js';
import { principal } from './principal.js';
import type { Grantees } from './queue-rights.js';

const VERDICT_TTL_MS = 60_000;
const REFUSAL_TTL_MS = 5_000;
const GRANTS_TTL_MS = 10_000;
const NO_QUEUE_TTL_MS = 2_000;
const TOKEN: Credential = { authorization: 'Bearer abc' };
const NOBODY: Grantees = { users: [], groups: [] };

let clock: ManualClock;
/** Verifies tokens, as it stands at the moment. */
let provider: () => VerifiedCaller;
let verified: number;
/** What Armada says of every queue, as it stands at the moment. */
let armada: () => Grantees | undefined;
let read: number;

beforeEach(() => {
  clock = new ManualClock();
  verified = read = 0;
  provider = () => ({ principal: principal('alice', ['team-a']), expiresAt: Infinity });
  armada = () => NOBODY;
});

/** The authorizer of a file with this section `auth`, which verifies Bearer tokens. */
function authorizer(section: object = {}, readsArmada = true): LocalAuthorizer {
  return new LocalAuthorizer({
    auth: parseAuthSection({ content: { kubernetesAuth: {}, ...section }, file: 'settings.yaml' }),
    verifiers: {
      basic: undefined,
      kubernetes: undefined,
      bearer: {
        verify: async () => {
          verified++;
          return Promise.resolve().then(provider);
        },
      },
    },
    queueGrants: readsArmada
      ? {
          watchersOf: async () => {
            read++;
            return Promise.resolve().then(armada);
          },
        }
      : undefined,
    verdictTtlMs: VERDICT_TTL_MS,
    refusalTtlMs: REFUSAL_TTL_MS,
    clock,
  });
}

/** The verdict, or why there is none. */
async function ask(one: LocalAuthorizer, queue = 'q', credential = TOKEN): Promise<string> {
  try {
    return await one.mayWatch(credential, queue, 'caller');
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    return `${error.kind}: ${error.message}`;
  }
}

describe('who a caller is', () => {
  it('is verified once for the time to live of a verdict, and for no shorter and no longer one', async () => {
    const one = authorizer();
    await one.authenticate(TOKEN, 'caller');
    clock.advance(VERDICT_TTL_MS - 1);
    expect(one.authenticate(TOKEN, 'caller')).toBeUndefined();
    expect(verified).toBe(1);
    clock.advance(1);
    await one.authenticate(TOKEN, 'caller');
    expect(verified).toBe(2);
  });

  it('is verified again once the credential expires', async () => {
    provider = () => ({ principal: principal('alice'), expiresAt: clock.wall() + 30_000 });
    const one = authorizer();
    await one.authenticate(TOKEN, 'caller');
    clock.advance(29_999);
    await one.authenticate(TOKEN, 'caller');
    expect(verified).toBe(1);
    clock.advance(1);
    await one.authenticate(TOKEN, 'caller');
    expect(verified).toBe(2);
  });

  it('is a refusal for the time to live of one, and then verified again', async () => {
    provider = () => {
      throw new AuthError('unauthenticated', 'invalid token');
    };
    const one = authorizer();
    expect(await ask(one)).toBe('unauthenticated: invalid token');
    clock.advance(REFUSAL_TTL_MS - 1);
    expect(await ask(one)).toBe('unauthenticated: invalid token');
    expect(verified).toBe(1);
    provider = () => ({ principal: principal('alice'), expiresAt: Infinity });
    clock.advance(1);
    expect(await ask(one)).toBe('no');
  });

  it.each<[string, Error]>([
    ['unavailable', new AuthError('unavailable', 'no answer')],
    ['defective', new TypeError('a defect')],
  ])('is verified again at once where its verifier was %s', async (_, failure) => {
    provider = () => {
      throw failure;
    };
    const one = authorizer();
    await expect(one.authenticate(TOKEN, 'caller')).rejects.toBe(failure);
    provider = () => ({ principal: principal('alice'), expiresAt: Infinity });
    await one.authenticate(TOKEN, 'caller');
  });

  it('is anonymous without credentials, or with some of a kind that is not configured, only where that is allowed', async () => {
    const basic = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` };
    const nothing = { authorization: undefined };
    expect(await ask(authorizer(), 'q', basic)).toBe(
      'unauthenticated: this service does not support credentials of this kind (authorization)',
    );
    expect(await ask(authorizer(), 'q', nothing)).toBe(
      'unauthenticated: missing credentials (authorization): this service requires them',
    );
    armada = () => ({ users: ['anonymous'], groups: [] });
    for (const credential of [basic, nothing])
      expect(await ask(authorizer({ anonymousAuth: 'true' }), 'q', credential)).toBe('yes');
  });

  it('is the name in its certificate only where that is allowed, and not where it sends credentials', async () => {
    armada = () => ({ users: ['robot'], groups: [] });
    const robot = { authorization: undefined, certificateName: 'robot' };
    const certificates = { clientCertificateAuth: 'true' };
    expect(await ask(authorizer(certificates), 'q', robot)).toBe('yes');
    expect(await ask(authorizer(certificates), 'q', { ...robot, ...TOKEN })).toBe('no');
    expect(await ask(authorizer(), 'q', robot)).toMatch(/^unauthenticated: missing credentials/);
  });
});

describe('the permissions of a queue in Armada', () => {
  it('are read again after 10 s, and not before', async () => {
    const one = authorizer();
    armada = () => ({ users: ['alice'], groups: [] });
    expect(await ask(one)).toBe('yes');
    armada = () => NOBODY;
    clock.advance(GRANTS_TTL_MS - 1);
    expect(await ask(one)).toBe('yes');
    expect(read).toBe(1);
    clock.advance(1);
    expect(await ask(one)).toBe('no');
  });

  it('of a queue that does not exist are read again after 2 s, and not before', async () => {
    const one = authorizer();
    armada = () => undefined;
    expect(await ask(one)).toBe('no-queue');
    armada = () => ({ users: [], groups: ['team-a'] });
    clock.advance(NO_QUEUE_TTL_MS - 1);
    expect(await ask(one)).toBe('no-queue');
    clock.advance(1);
    expect(await ask(one)).toBe('yes');
  });

  it('that cannot be read give no verdict, and are read again at once', async () => {
    const one = authorizer();
    armada = () => {
      throw new Error('UNAVAILABLE: no connection');
    };
    expect(await ask(one)).toBe(
      "unavailable: could not read the queue's permissions from Armada: UNAVAILABLE: no connection; try again",
    );
    armada = () => ({ users: ['alice'], groups: [] });
    expect(await ask(one)).toBe('yes');
  });

  it('are those of one queue, and not of another', async () => {
    const one = authorizer();
    armada = () => ({ users: ['alice'], groups: [] });
    expect(await ask(one, 'hers')).toBe('yes');
    armada = () => NOBODY;
    expect(await ask(one, 'other')).toBe('no');
    expect(await ask(one, 'hers')).toBe('yes');
  });

  it('are read for other callers, too, where one names ever new queues', async () => {
    const one = authorizer();
    const askAs = (who: string, queue: string) => Promise.resolve(one.mayWatch(TOKEN, queue, who));
    await askAs('caller', 'first');
    const flood = Promise.allSettled(Array.from({ length: 200 }, (_, i) => askAs('flood', `q${i}`)));
    expect(await askAs('caller', 'second')).toBe('no');
    expect((await flood).filter(({ status }) => status === 'rejected')).not.toHaveLength(0);
  });

  it('are read once for all who wait for them, and not at all where a rule lets the caller watch', async () => {
    const one = authorizer({ queueRules: [{ queue: 'ruled', users: ['alice'] }] });
    expect(await ask(one, 'ruled')).toBe('yes');
    expect(read).toBe(0);
    expect(await Promise.all([ask(one), ask(one), ask(one)])).toEqual(['no', 'no', 'no']);
    expect(read).toBe(1);
  });
});

describe('a verdict by the configuration alone', () => {
  it('is a refusal where no rule lets the caller watch the queue', async () => {
    const rules = [
      { queue: 'hers', users: ['alice'] },
      { queue: 'teams', groups: ['team-a'] },
      { queue: 'his', users: ['bob'], groups: ['team-b'] },
    ];
    const one = authorizer({ queueRules: rules }, false);
    for (const queue of ['hers', 'teams']) expect(await ask(one, queue)).toBe('yes');
    for (const queue of ['his', 'other']) expect(await ask(one, queue)).toBe('no');
  });

  it('is by whole names of queues, users and groups, in their case', async () => {
    const rules = [
      { queue: 'hers', users: ['alice'] },
      { queue: 'others', users: ['ali', 'alice2', 'Alice'], groups: ['team', 'team-a2', 'Team-A'] },
    ];
    const one = authorizer({ queueRules: rules }, false);
    for (const queue of ['h', 'ers', 'hers2', 'Hers', '', 'others']) expect(await ask(one, queue)).toBe('no');
  });

  it.each<[string, Parameters<typeof principal>]>([
    ['permissionGroupMapping', ['alice', ['admin']]],
    ['permissionScopeMapping', ['alice', [], ['admin']]],
    ['permissionClaimMapping', ['alice', [], [], ['admin']]],
  ])(
    'is a yes for every queue to whom %s gives watch_all_events, and to nobody else',
    async (mapping, who) => {
      provider = () => ({ principal: principal(...who), expiresAt: Infinity });
      for (const other of ['permissionGroupMapping', 'permissionScopeMapping', 'permissionClaimMapping']) {
        const held = { [other]: { watch_all_events: ['operator', 'admin'] } };
        expect(await ask(authorizer(held, false))).toBe(other === mapping ? 'yes' : 'no');
      }
      expect(await ask(authorizer({ [mapping]: { submit_any_jobs: ['admin'] } }, false))).toBe('no');
    },
  );
});

describe('a verdict that is cached', () => {
  it('needs no waiting', async () => {
    const one = authorizer();
    expect(await one.mayWatch(TOKEN, 'q', 'caller')).toBe('no');
    expect(one.mayWatch(TOKEN, 'q', 'caller')).toBe('no');
    expect(one.authenticate(TOKEN, 'caller')).toBeUndefined();
  });
});
