import { admitsAnonymous } from './create-authorizer.js';
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

it('a refusal names the queue, as a JSON string, and what the caller lacks', () => {
  expect(refusalText('a "queue"')).toBe(
    'permission denied for queue "a \\"queue\\"": requires permission watch_all_events or the queue\'s watch verb',
  );
});
