import { SettingsError } from '@ajs/config';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { ManualClock, RedisServer, eventually } from '@ajs/testing';
import {
  admitsAnonymous,
  checkAuthSettings,
  createAuthorizer,
  type AuthorizerParts,
} from './create-authorizer.js';
import { refusalText } from './authorizer.js';
import { ANONYMOUS, principal } from './local/principal.js';

describe('callers without credentials', () => {
  it.each([
    ['anonymous', undefined, true],
    ['delegated', undefined, false],
    ['local', { anonymousAuth: 'true' }, true],
    ['local', { clientCertificateAuth: 'true' }, false],
  ] as const)('with AUTH_MODE=%s and the section %j: admitted: %s', (authMode, content, isAdmitted) => {
    const settings = {
      authMode,
      ...(content !== undefined && { auth: { content, file: 'settings.yaml' } }),
      authVerdictTtlMs: 1,
      authRefusalTtlMs: 1,
      authCacheSecret: '',
    };
    expect(admitsAnonymous(settings)).toBe(isAdmitted);
  });

  it('are members of everyone, and of nothing else', () => {
    expect(ANONYMOUS).toEqual(principal('anonymous', [], [], []));
    expect([...ANONYMOUS.groups, ...ANONYMOUS.scopes, ...ANONYMOUS.claims]).toEqual(['everyone']);
  });
});

describe('the settings of callers', () => {
  const check = (
    authMode: 'anonymous' | 'delegated' | 'local',
    content: unknown,
    queryTlsClientCaFile = '',
  ): void =>
    checkAuthSettings(
      {
        authMode,
        queryTlsClientCaFile,
        ...(content !== undefined && { auth: { content, file: 'settings.yaml' } }),
      },
      { PASSWORD: 'geheim' },
    );
  const user = (password: string) => ({ basicAuth: { users: { eve: { passwordEnv: password } } } });

  it.each([
    [
      'delegated',
      user('PASSWORD'),
      'AUTH_MODE is delegated, which does not read the section auth (settings.yaml)',
    ],
    ['anonymous', {}, 'set AUTH_MODE=local, or remove the section'],
    ['local', undefined, 'the file has no section auth'],
    ['local', user('NOT_SET'), 'passwordEnv names the variable NOT_SET, which is not set'],
    [
      'local',
      { kubernetesAuth: { tokenFile: '/not/there' } },
      'auth.kubernetesAuth.tokenFile is "/not/there"',
    ],
    ['local', { clientCertificateAuth: 'true' }, 'set QUERY_TLS_CLIENT_CA_FILE'],
  ] as const)('are refused with AUTH_MODE=%s and the section %j', (authMode, content, problem) => {
    const act = (): void => check(authMode, content);
    expect(act).toThrow(SettingsError);
    expect(act).toThrow(problem);
  });

  it('may be those of a mode without a section, and of one with what the section needs', () => {
    check('delegated', undefined);
    check('anonymous', undefined);
    check('local', user('PASSWORD'));
    check('local', { clientCertificateAuth: 'true' }, 'ca.crt');
  });
});

it('a refusal names the queue, as a JSON string, and what the caller lacks', () => {
  expect(refusalText('a "queue"')).toBe(
    'permission denied for queue "a \\"queue\\"": requires permission watch_all_events or the queue\'s watch verb',
  );
});

describe('the authorizer of', () => {
  const ALICE = { authorization: 'Bearer token-of-alice' };
  const EVE = { authorization: `Basic ${Buffer.from('eve:geheim').toString('base64')}` };
  const section = (more: object) => ({
    content: { basicAuth: { users: { eve: { passwordEnv: 'PASSWORD' } } }, ...more },
    file: 'settings.yaml',
  });

  let clock: ManualClock;
  let warnings: string[];
  /** How often Armada was asked about a caller, and for the permissions of a queue. */
  let asked: number;
  let read: number;
  let redis: RedisClient;
  beforeEach(() => {
    clock = new ManualClock();
    warnings = [];
    asked = read = 0;
  });

  function create(settings: Partial<AuthorizerParts['settings']>) {
    const parts: AuthorizerParts = {
      settings: {
        authMode: 'delegated',
        authVerdictTtlMs: 60_000,
        authRefusalTtlMs: 5_000,
        authCacheSecret: '',
        ...settings,
      },
      env: { PASSWORD: 'geheim' },
      armada: {
        authenticates: () => Promise.resolve('yes'),
        mayWatch: (_, queue) => {
          asked++;
          return Promise.resolve(queue === 'hers' ? 'yes' : 'no');
        },
      },
      grants: {
        watchersOf: () => {
          read++;
          return Promise.resolve({ users: ['eve'], groups: [] });
        },
      },
      redis,
      redisFailed: (error) => {
        throw error;
      },
      warn: (text) => warnings.push(text),
    };
    return createAuthorizer(parts, clock);
  }

  it('anonymous callers lets everybody watch, and warns of that', async () => {
    expect(await create({ authMode: 'anonymous' }).mayWatch({ authorization: undefined }, 'q', 'who')).toBe(
      'yes',
    );
    expect(warnings).toEqual([expect.stringContaining('AUTH_MODE is anonymous') as string]);
  });

  it('callers whom Armada allows keeps a yes and a no for their own times', async () => {
    const authorizer = create({});
    const ask = async (queue: string): Promise<string> => authorizer.mayWatch(ALICE, queue, 'who');
    expect([await ask('hers'), await ask('his'), asked]).toEqual(['yes', 'no', 2]);
    clock.advance(5_000);
    expect([await ask('hers'), await ask('his'), asked]).toEqual(['yes', 'no', 3]);
    expect(warnings).toEqual([]);
  });

  it('callers whom Armada allows shares verdicts through Redis where there is a secret for that', async () => {
    const server = await RedisServer.start();
    redis = createRedisClient({ kind: 'single', url: server.url }, 'reader', () => undefined);
    try {
      await eventually('Redis answers', () => redis.status === 'ready');
      await create({}).mayWatch(ALICE, 'hers', 'who');
      await create({ authCacheSecret: 'x'.repeat(32) }).mayWatch(ALICE, 'hers', 'who');
      await eventually('a verdict is shared', async () => (await redis.keys('*')).length === 1);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });

  it.each([
    [{}, 'yes', 1, 0],
    [{ queuePermissionsFromArmada: 'false' }, 'no', 0, 0],
    [{ anonymousAuth: 'true' }, 'yes', 1, 1],
  ])('callers of our own with the section %j', async (more, verdict, reads, warned) => {
    const authorizer = create({ authMode: 'local', auth: section(more) });
    expect(await authorizer.mayWatch(EVE, 'q', 'who')).toBe(verdict);
    expect([read, warnings.length]).toEqual([reads, warned]);
  });
});
