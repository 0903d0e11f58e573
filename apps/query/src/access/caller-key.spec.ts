import { createAuthorizer, type AuthorizerParts } from '@ajs/auth';
import { testCaller } from '../testing/test-caller.js';
import { Access } from './access.js';

const never = () => Promise.reject(new Error('not needed'));

function accessOf(settings: Partial<AuthorizerParts['settings']>, accepts = true): Access {
  const authorizer = createAuthorizer({
    settings: {
      authMode: 'delegated',
      authVerdictTtlMs: 60_000,
      authRefusalTtlMs: 5_000,
      authCacheSecret: '',
      auth: { content: undefined, file: 'settings.yaml' },
      ...settings,
    },
    env: { PASSWORD: 'secret' },
    armada: {
      authenticates: () => Promise.resolve(accepts ? 'yes' : 'bad-credentials'),
      mayWatch: () => Promise.resolve(accepts ? 'yes' : 'bad-credentials'),
    },
    grants: { watchersOf: never },
    redis: undefined as never,
    redisFailed: () => undefined,
    warn: () => undefined,
  });
  return new Access({
    authorizer,
    jobsNeedWatch: false,
    queueNamesNeedWatch: false,
    waiting: (_, verdict) => verdict(),
  });
}

const callerOf = (authorization: string, address = '10.0.0.1') =>
  testCaller({ authorization: [authorization], address: () => address });
const kubernetes = (json: string): string => `KubernetesAuth ${Buffer.from(json).toString('base64url')}`;

describe('the key that tells callers apart', () => {
  /** The keys of callers once Armada has accepted their credentials. */
  const keysOf = async (...authorizations: string[]): Promise<Set<string>> => {
    const access = accessOf({});
    const keys = new Set<string>();
    for (const authorization of authorizations) {
      await access.toJobs(callerOf(authorization));
      keys.add(access.keyOf(callerOf(authorization)));
    }
    return keys;
  };

  it.each([
    ['Basic', ['Basic YTpi', 'BASIC YTpi', 'bAsic YTpi']],
    ['Bearer', ['Bearer e30.e30.c2ln', 'bEARER e30.e30.c2ln', 'Bearer e30.e30.c2lo=']],
    [
      'KubernetesAuth',
      ['{"token":"t","ca":"c"}', '{"ca":"c", "token" : "t"}', '{"token":"\\u0074","ca":"d","x":1}'].map(
        kubernetes,
      ),
    ],
  ])('is the same however a credential is spelled: %s', async (_, spellings) => {
    expect((await keysOf(...spellings)).size).toBe(1);
  });

  it('is another for another credential, and does not reveal it', async () => {
    const tokens = [kubernetes('{"token":"t","ca":"c"}'), kubernetes('{"token":"u","ca":"c"}')];
    const keys = await keysOf('Basic YTpi', 'Basic YTpj', 'Bearer a.b.c', 'Bearer a.d.c', ...tokens);
    expect(keys.size).toBe(6);
    expect([...keys].join()).not.toMatch(/YTp|a\.[bd]/);
  });

  it('is the address for credentials that are unknown, rejected or malformed: random ones are no new callers', async () => {
    const access = accessOf({}, false);
    for (const authorization of ['Bearer unknown', 'Bearer rejected', 'nonsense']) {
      if (authorization === 'Bearer rejected')
        await expect(access.toJobs(callerOf(authorization))).rejects.toThrow('rejected');
      expect(access.keyOf(callerOf(authorization))).toBe('10.0.0.1');
      expect(access.keyOf(callerOf(authorization, '2001:db8:1:2:3::4'))).toBe('2001:db8:1:2::/64');
    }
  });

  it('is the address where credentials are not checked, or there are none', async () => {
    const anonymous = accessOf({ authMode: 'anonymous' });
    await anonymous.toJobs(callerOf('Bearer a'));
    expect(anonymous.keyOf(callerOf('Bearer a'))).toBe('10.0.0.1');
    const delegated = accessOf({});
    await delegated.toJobs(testCaller());
    expect(delegated.keyOf(testCaller({ address: () => '10.0.0.2' }))).toBe('10.0.0.2');
  });

  it('is the name in the client certificate where no credential is verified', () => {
    const access = accessOf({});
    const caller = testCaller({ certificateName: () => 'airflow', address: () => '10.0.0.1' });
    expect(access.keyOf(caller)).toBe('certificate airflow');
    expect(access.keyOf({ ...caller, authorization: ['Bearer unknown'] })).toBe('certificate airflow');
  });

  it('is the user, whatever its credentials, where this service has verified them, and the address where not', async () => {
    const users = { alice: { passwordEnv: 'PASSWORD' }, bob: { passwordEnv: 'PASSWORD' } };
    const access = accessOf({
      authMode: 'local',
      auth: { content: { basicAuth: { users } }, file: 'settings.yaml' },
    });
    const basic = (user: string): string => `Basic ${Buffer.from(`${user}:secret`).toString('base64')}`;
    for (const user of ['alice', 'bob']) await access.toJobs(callerOf(basic(user)));
    expect(access.keyOf(callerOf(basic('alice')))).toBe('user alice');
    expect(access.keyOf(callerOf(basic('bob')))).toBe('user bob');
    const wrong = callerOf(`Basic ${Buffer.from('bob:wrong').toString('base64')}`);
    for (let i = 0; i < 2; i++) {
      expect(access.keyOf(wrong)).toBe('10.0.0.1');
      await expect(access.toJobs(wrong)).rejects.toThrow('invalid username or password');
    }
  });
});
