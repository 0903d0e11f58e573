import { SettingsError } from '@ajs/config';
import { admitsAnonymous, checkAuthSettings } from './create-authorizer.js';
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
