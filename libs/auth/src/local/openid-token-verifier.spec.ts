import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  SignJWT,
  UnsecuredJWT,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type CryptoKey,
  type JWK,
} from 'jose';
import { jest } from '@jest/globals';
import Provider from 'oidc-provider';
import { AuthError } from '../authorizer.js';
import { systemClock } from '@ajs/platform';
import { parseAuthSection } from './auth-section.js';
import { ManualClock } from '@ajs/testing';
import { LocalAuthorizer } from './local-authorizer.js';
import { OpenIdTokenVerifier } from './openid-token-verifier.js';
import type { Principal } from './principal.js';

const AUDIENCE = 'https://jobs.example.org';

interface Key {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

async function newKey(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  return {
    kid,
    privateKey,
    publicKey,
    jwk: { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A real provider; it can be given other keys, as when it is started anew with them. */
class Issuer {
  readonly requests: string[] = [];
  /** Answers instead of the provider. */
  instead: Handler | undefined;
  private provider!: Handler;

  private constructor(
    readonly server: Server,
    readonly url: string,
  ) {}

  static async start(key: Key): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = new Issuer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    issuer.useKeys([key]);
    server.on('request', (request, response) => {
      issuer.requests.push(request.url ?? '');
      (issuer.instead ?? issuer.provider)(request, response);
    });
    return issuer;
  }

  useKeys(keys: readonly Key[]): void {
    const provider = new Provider(this.url, {
      jwks: { keys: keys.map(({ jwk }) => jwk as Record<string, string> & { kty: string }) },
      clients: [
        {
          client_id: 'airflow',
          client_secret: 'secret',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
      ],
      scopes: ['jobs', 'more'],
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, audience) => ({
            audience,
            scope: 'jobs more',
            accessTokenFormat: 'jwt',
          }),
        },
      },
      extraTokenClaims: () => ({ groups: ['team-a', 'team-b'], team: 'a' }),
      ttl: { ClientCredentials: 300 },
    });
    const answer = provider.callback();
    this.provider = (request, response) => void answer(request, response);
  }

  /** An access token as any client gets one. */
  async token(): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('airflow:secret').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'jobs more', resource: AUDIENCE }),
    });
    return String(((await response.json()) as { access_token: unknown }).access_token);
  }

  timesRequested(path: string): number {
    return this.requests.filter((each) => each === path).length;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const OLD = await newKey('old');
const NEW = await newKey('new');
// The provider says each time that it keeps everything in memory.
beforeAll(() => void jest.spyOn(console, 'warn').mockImplementation(() => undefined));
afterAll(() => void jest.restoreAllMocks());

const DISCOVERY = '/.well-known/openid-configuration';
/** The provider is requested again no sooner. */
const COOLDOWN_MS = 5_000;
const MAX_AGE_MS = 600_000;

let issuer: Issuer;
let tokens: OpenIdTokenVerifier;
let clock: ManualClock;
beforeEach(async () => {
  clock = new ManualClock();
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
  return new OpenIdTokenVerifier(whole, clock);
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** A token as the provider could have signed it. */
async function signed(
  claims: Record<string, unknown>,
  { kid, privateKey }: Key = OLD,
  alg = 'RS256',
): Promise<string> {
  const whole = { iss: issuer.url, aud: AUDIENCE, sub: 'someone', exp: inSeconds(300), ...claims };
  return new SignJWT(whole).setProtectedHeader({ alg, kid }).sign(privateKey);
}

async function refusal(of: OpenIdTokenVerifier, token: string): Promise<AuthError> {
  const error: unknown = await of.verify({ token }).catch((caught: unknown) => caught);
  if (!(error instanceof AuthError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
  expect(error.message).not.toContain(token.slice(-40));
  return error;
}

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

  it('may have its groups in a configured claim, a single group, or none that is valid', async () => {
    const teams = tokensOf({ groupsClaim: 'teams' });
    const groupsOf = async (claim: unknown) => [
      ...(await teams.verify({ token: await signed({ teams: claim, groups: ['x'] }) })).principal.groups,
    ];
    expect(await groupsOf(['a', 'b'])).toEqual(['a', 'b', 'everyone']);
    expect(await groupsOf('a')).toEqual(['a', 'everyone']);
    for (const odd of [undefined, 7, { a: 1 }, ['a', 7]]) expect(await groupsOf(odd)).toEqual(['everyone']);
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
    await refusal(exact, await signed({ exp: inSeconds(-10) }));
    await refusal(exact, await signed({ nbf: inSeconds(10) }));
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
    expect((await refusal(tokens, await token())).kind).toBe('unauthenticated');
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
    expect(await authorizer.mayWatch({ authorization }, 'any')).toBe(verdict);
    expect(await authorizer.mayWatch({ authorization }, 'theirs')).toBe('yes');
  });

  it('are none where the token is refused', async () => {
    const authorizer = authorizerWith({ permissionGroupMapping: everything('everyone') });
    const authorization = `Bearer ${await signed({ aud: 'https://other.example.org' })}`;
    await expect(authorizer.mayWatch({ authorization }, 'theirs')).rejects.toMatchObject({
      kind: 'unauthenticated',
    });
  });
});

describe("the provider's keys", () => {
  it('are fetched once', async () => {
    await Promise.all([1, 2, 3].map(async () => tokens.verify({ token: await signed({}) })));
    await tokens.verify({ token: await signed({}) });
    expect(issuer.timesRequested(DISCOVERY)).toBe(1);
    expect(issuer.timesRequested('/jwks')).toBe(1);
  });

  it('are fetched again for a token that is signed with a new one', async () => {
    const before = await issuer.token();
    await tokens.verify({ token: before });
    issuer.useKeys([NEW, OLD]);
    clock.advance(COOLDOWN_MS);
    const after = await issuer.token();
    expect((await tokens.verify({ token: after })).principal.name).toBe('airflow');
    expect((await tokens.verify({ token: before })).principal.name).toBe('airflow');
    issuer.useKeys([NEW]);
    clock.advance(COOLDOWN_MS);
    await refusal(tokens, await signed({}, { ...NEW, kid: 'newer' }));
    expect((await refusal(tokens, before)).kind).toBe('unauthenticated');
  });

  it('stop counting ten minutes after the provider withdrew them', async () => {
    const token = await issuer.token();
    await tokens.verify({ token });
    issuer.useKeys([NEW]);
    clock.advance(MAX_AGE_MS - 1);
    await tokens.verify({ token });
    clock.advance(1);
    expect((await refusal(tokens, token)).kind).toBe('unauthenticated');
  });

  it('are not fetched again and again for tokens with unknown keys', async () => {
    await tokens.verify({ token: await signed({}) });
    for (let i = 0; i < 20; i++) await refusal(tokens, await signed({}, { ...NEW, kid: `k${i}` }));
    expect(issuer.timesRequested('/jwks')).toBe(1);
  });

  it('stay in use while the provider is down, whatever other tokens come meanwhile', async () => {
    await tokens.verify({ token: await signed({}) });
    issuer.stop();
    for (const laterMs of [0, COOLDOWN_MS, MAX_AGE_MS]) {
      clock.advance(laterMs);
      const unknown = await refusal(tokens, await signed({}, NEW));
      expect(unknown.kind).toBe(laterMs === 0 ? 'unauthenticated' : 'unavailable');
      await tokens.verify({ token: await signed({}) });
    }
  });
});

describe('a provider that is unavailable', () => {
  const answer =
    (code: number, body: string): Handler =>
    (_, response) =>
      void response.writeHead(code, { 'content-type': 'application/json' }).end(body);

  it.each<[string, () => Handler, string]>([
    ['fails', () => answer(503, 'no'), 'HTTP 503'],
    [
      'answers with something else',
      () => answer(200, '<html>'),
      'did not answer with the configuration of an OpenID provider',
    ],
    [
      'has another issuer',
      () => answer(200, JSON.stringify({ issuer: 'https://a', jwks_uri: 'https://a/jwks' })),
      'its issuer is https://a',
    ],
    ['answers with too much', () => answer(200, 'x'.repeat(300_000)), 'answered with more than 262144 bytes'],
    [
      'redirects us',
      () => (_, response) => void response.writeHead(302, { location: '/jwks' }).end(),
      'openid-configuration',
    ],
    [
      'has no keys',
      () => (request, response) =>
        (request.url === '/jwks'
          ? answer(500, '')
          : answer(200, JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` })))(
          request,
          response,
        ),
      'again',
    ],
  ])(
    'because it %s leads to no refusal, and is asked again after the cooldown',
    async (_, handler, reason) => {
      issuer.instead = handler();
      const error = await refusal(tokens, await signed({}));
      expect(error.kind).toBe('unavailable');
      expect(error.message).toContain(reason);
      issuer.instead = undefined;
      clock.advance(COOLDOWN_MS);
      await tokens.verify({ token: await signed({}) });
    },
  );

  it.each([
    ['has given its keys', true],
    ['has not', false],
  ])('is asked once per cooldown, however many tokens come, if it %s', async (_, hasGiven) => {
    if (hasGiven) await tokens.verify({ token: await signed({}) });
    issuer.instead = answer(503, '');
    issuer.requests.length = 0;
    clock.advance(COOLDOWN_MS - 1);
    for (const times of [1, 2]) {
      clock.advance(1);
      const all = await Promise.all(
        Array.from({ length: 5 }, (_, i) => signed({}, { ...NEW, kid: `k${i}` })),
      );
      for (const refused of await Promise.all(all.map((token) => refusal(tokens, token))))
        expect(refused.kind).toBe('unavailable');
      clock.advance(COOLDOWN_MS - 1);
      for (const token of all) expect((await refusal(tokens, token)).message).toContain('HTTP 503');
      expect(issuer.requests).toEqual(Array(times).fill(DISCOVERY));
    }
  });

  it('because it is not reachable leads to no refusal', async () => {
    issuer.stop();
    expect((await refusal(tokens, await signed({}))).kind).toBe('unavailable');
  });
});
