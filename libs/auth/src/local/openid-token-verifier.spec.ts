import { ManualClock } from '@ajs/testing';
import { systemClock } from '@ajs/platform';
import { jest } from '@jest/globals';
import { SignJWT, UnsecuredJWT, exportSPKI } from 'jose';
import { parseAuthSection } from './auth-section.js';
import { LocalAuthorizer } from './local-authorizer.js';
import { OpenIdTokenVerifier } from './openid-token-verifier.js';
import type { Principal } from './principal.js';
import { AUDIENCE, Issuer, inSeconds, newKey, refusalOf, type Key } from './testing/openid-issuer.js';

const OLD = await newKey('old');
const NEW = await newKey('new');
// The provider says each time that it keeps everything in memory.
beforeAll(() => void jest.spyOn(console, 'warn').mockImplementation(() => undefined));
afterAll(() => void jest.restoreAllMocks());

let issuer: Issuer;
let tokens: OpenIdTokenVerifier;
beforeEach(async () => {
  issuer = await Issuer.start(OLD);
  tokens = tokensOf({});
});
afterEach(() => issuer.stop());

function tokensOf(config: Partial<ConstructorParameters<typeof OpenIdTokenVerifier>[0]>) {
  const whole = {
    providerUrl: issuer.url,
    audience: [AUDIENCE],
    groupsClaim: 'groups',
    clockSkewSeconds: 30,
    ...config,
  };
  return new OpenIdTokenVerifier(whole, new ManualClock());
}

const signed = (claims: Record<string, unknown>, key: Key = OLD): Promise<string> =>
  issuer.signed(claims, key);

const contentOf = ({ name, groups, scopes }: Principal) => ({
  name,
  groups: [...groups],
  scopes: [...scopes],
});

describe('the access token of a caller', () => {
  it('identifies the caller by subject, groups, scopes and claims', async () => {
    const token = await issuer.token();
    const { principal, expiresAt: until } = await tokens.verify({ token });
    expect(contentOf(principal)).toEqual({
      name: 'airflow',
      groups: ['team-a', 'team-b', 'everyone'],
      scopes: ['jobs', 'more'],
    });
    expect([...principal.claims]).toEqual(expect.arrayContaining(['team', 'client_id', 'iss']));
    expect(Math.abs(until - (Date.now() + 300_000))).toBeLessThan(30_000);
  });

  it('may have its groups in a configured claim, a single group, or none', async () => {
    const teams = tokensOf({ groupsClaim: 'teams' });
    const groupsOf = async (claim: unknown) => [
      ...(await teams.verify({ token: await signed({ teams: claim, groups: ['x'] }) })).principal.groups,
    ];
    expect(await groupsOf(['a', 'b'])).toEqual(['a', 'b', 'everyone']);
    expect(await groupsOf('a')).toEqual(['a', 'everyone']);
    for (const none of [undefined, null, []]) expect(await groupsOf(none)).toEqual(['everyone']);
  });

  it('may have several audiences, if one of them is ours', async () => {
    const token = await signed({ aud: ['https://other.example.org', AUDIENCE] });
    expect((await tokens.verify({ token })).principal.name).toBe('someone');
    const two = tokensOf({ audience: ['https://a.example.org', AUDIENCE] });
    expect((await two.verify({ token: await signed({}) })).principal.name).toBe('someone');
  });

  it('may be expired, or not yet valid, within the configured clock skew', async () => {
    await tokens.verify({ token: await signed({ exp: inSeconds(-10) }) });
    await tokens.verify({ token: await signed({ nbf: inSeconds(10) }) });
    const exact = tokensOf({ clockSkewSeconds: 0 });
    await refusalOf(exact, await signed({ exp: inSeconds(-10) }));
    await refusalOf(exact, await signed({ nbf: inSeconds(10) }));
  });

  it.each<[string, () => Promise<string> | string]>([
    ['for another audience', () => signed({ aud: 'https://other.example.org' })],
    ['without an audience', () => signed({ aud: undefined })],
    ['of another issuer', () => signed({ iss: 'https://evil.example.org' })],
    ['that has expired', () => signed({ exp: inSeconds(-60) })],
    ['that never expires', () => signed({ exp: undefined })],
    ['that is not yet valid', () => signed({ nbf: inSeconds(60) })],
    ['without a subject', () => signed({ sub: undefined })],
    ['signed with the key of another', () => signed({}, { ...NEW, kid: OLD.kid })],
    ['signed with an unknown key', () => signed({}, NEW)],
    [
      'without a signature',
      () =>
        new UnsecuredJWT({ sub: 'someone' })
          .setIssuer(issuer.url)
          .setAudience(AUDIENCE)
          .setExpirationTime('5m')
          .encode(),
    ],
    [
      'signed by HMAC with the public key',
      async () =>
        new SignJWT({ sub: 'someone' })
          .setProtectedHeader({ alg: 'HS256', kid: OLD.kid })
          .setIssuer(issuer.url)
          .setAudience(AUDIENCE)
          .setExpirationTime('5m')
          .sign(Buffer.from(await exportSPKI(OLD.publicKey))),
    ],
    ['of another format', () => 'abc'],
    ['of another format, with dots', () => 'a.b.c'],
    [
      'that was tampered with',
      async () =>
        (await signed({})).replace(/\.[^.]*\./, `.${Buffer.from('{"sub":"root"}').toString('base64url')}.`),
    ],
  ])('is refused if it is a token %s', async (_, token) => {
    expect((await refusalOf(tokens, await token())).kind).toBe('unauthenticated');
  });
});

describe('a claim of the wrong type', () => {
  // What each would become as a text is the name of another caller, issuer or group.
  const wrong: [claim: string, value: unknown][] = [
    ...[7, true, null, '', ['someone'], { toString: 'someone' }].map((sub): [string, unknown] => [
      'sub',
      sub,
    ]),
    ...[7, true, { a: 1 }, ['a', 7], [['a']]].map((groups): [string, unknown] => ['groups', groups]),
    ...[7, ['jobs'], { jobs: 1 }].map((scope): [string, unknown] => ['scope', scope]),
    ...['2000000000', null, [2_000_000_000], true].flatMap((time): [string, unknown][] => [
      ['exp', time],
      ['nbf', time],
      ['iat', time],
    ]),
    ...[7, null, [[AUDIENCE]], { [AUDIENCE]: 1 }].map((aud): [string, unknown] => ['aud', aud]),
  ];

  it.each([...wrong, ['iss', 'in an array']] as [string, unknown][])(
    'has the token refused with its name: %s %j',
    async (name, value) => {
      const claims = { [name]: name === 'iss' ? [issuer.url] : value };
      const refusal = await refusalOf(tokens, await signed(claims));
      expect(refusal.kind).toBe('unauthenticated');
      expect(refusal.message).toContain(`"${name}"`);
    },
  );

  it.each([1e300, 8.64e18, 253_402_300_800])('is not an exp far in the future: %d', async (exp) => {
    const { expiresAt } = await tokens.verify({ token: await signed({ exp }) });
    expect(expiresAt).toBeGreaterThan(Date.now());
  });
});

describe('the queues that a token lets its caller watch', () => {
  /** An authorizer whose section `auth` has this permission mapping, and one rule. */
  function authorizerWith(mapping: object): LocalAuthorizer {
    const content = {
      openIdAuth: { providerUrl: issuer.url, audience: AUDIENCE },
      queueRules: [{ queue: 'theirs', groups: ['team-b'] }],
      ...mapping,
    };
    const auth = parseAuthSection({ content, file: 'settings.yaml' });
    return new LocalAuthorizer({
      auth,
      verifiers: { basic: undefined, kubernetes: undefined, bearer: tokens },
      queueGrants: undefined,
      verdictTtlMs: 60_000,
      refusalTtlMs: 5_000,
      clock: systemClock,
    });
  }

  const everything = (...names: string[]) => ({ watch_all_events: names });

  it.each<[string, object, string]>([
    ['a group', { permissionGroupMapping: everything('admins', 'team-a') }, 'yes'],
    ['the group everyone', { permissionGroupMapping: everything('everyone') }, 'yes'],
    ['a scope', { permissionScopeMapping: everything('more') }, 'yes'],
    ['a claim, whatever its value', { permissionClaimMapping: everything('team') }, 'yes'],
    [
      'another group, scope or claim',
      {
        permissionGroupMapping: everything('more', 'team'),
        permissionScopeMapping: everything('team-a', 'team'),
        permissionClaimMapping: everything('team-a', 'more'),
      },
      'no',
    ],
    [
      'another permission',
      {
        permissionGroupMapping: { submit_any_jobs: ['everyone'] },
        permissionScopeMapping: { cancel_any_jobs: ['jobs'] },
      },
      'no',
    ],
  ])('are all, or only those with a rule, by %s', async (_, mapping, verdict) => {
    const authorizer = authorizerWith(mapping);
    const authorization = `Bearer ${await issuer.token()}`;
    expect(await authorizer.mayWatch({ authorization }, 'any', 'caller')).toBe(verdict);
    expect(await authorizer.mayWatch({ authorization }, 'theirs', 'caller')).toBe('yes');
  });

  it('are none where the token is refused', async () => {
    const authorizer = authorizerWith({ permissionGroupMapping: everything('everyone') });
    const authorization = `Bearer ${await signed({ aud: 'https://other.example.org' })}`;
    await expect(authorizer.mayWatch({ authorization }, 'theirs', 'caller')).rejects.toMatchObject({
      kind: 'unauthenticated',
    });
  });
});
