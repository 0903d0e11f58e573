import { ManualClock, eventually } from '@ajs/testing';
import { jest } from '@jest/globals';
import { OpenIdTokenVerifier } from './openid-token-verifier.js';
import { AUDIENCE, Issuer, newKey, refusalOf, type Handler, type Key } from './testing/openid-issuer.js';

const OLD = await newKey('old');
const NEW = await newKey('new');
// The provider says each time that it keeps everything in memory.
beforeAll(() => void jest.spyOn(console, 'warn').mockImplementation(() => undefined));
afterAll(() => void jest.restoreAllMocks());

const DISCOVERY = '/.well-known/openid-configuration';
/** The shortest time between two requests to the provider. */
const COOLDOWN_MS = 5_000;
const MAX_AGE_MS = 600_000;

let issuer: Issuer;
let tokens: OpenIdTokenVerifier;
let clock: ManualClock;
beforeEach(async () => {
  clock = new ManualClock();
  issuer = await Issuer.start(OLD);
  const config = {
    providerUrl: issuer.url,
    audience: [AUDIENCE],
    groupsClaim: 'groups',
    clockSkewSeconds: 30,
  };
  tokens = new OpenIdTokenVerifier(config, clock);
});
afterEach(() => issuer.stop());

const signed = (claims: Record<string, unknown>, key: Key = OLD): Promise<string> =>
  issuer.signed(claims, key);

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
    await refusalOf(tokens, await signed({}, { ...NEW, kid: 'newer' }));
    expect((await refusalOf(tokens, before)).kind).toBe('unauthenticated');
  });

  it('stop counting ten minutes after the provider withdrew them', async () => {
    const token = await issuer.token();
    await tokens.verify({ token });
    issuer.useKeys([NEW]);
    clock.advance(MAX_AGE_MS - 1);
    await tokens.verify({ token });
    clock.advance(1);
    expect((await refusalOf(tokens, token)).kind).toBe('unauthenticated');
  });

  it('are not fetched again and again for tokens with unknown keys', async () => {
    await tokens.verify({ token: await signed({}) });
    for (let i = 0; i < 20; i++) await refusalOf(tokens, await signed({}, { ...NEW, kid: `k${i}` }));
    expect(issuer.timesRequested('/jwks')).toBe(1);
  });

  it('are used without waiting for a provider that failed the last time and hangs now', async () => {
    const token = await signed({});
    await tokens.verify({ token });
    issuer.instead = (_, response) => void response.writeHead(503).end();
    clock.advance(MAX_AGE_MS);
    await tokens.verify({ token });
    let isHanging: boolean | undefined;
    issuer.instead = (request) => {
      isHanging = true;
      request.socket.on('close', () => (isHanging = false));
    };
    clock.advance(COOLDOWN_MS);
    await tokens.verify({ token });
    await eventually('the provider is asked', () => isHanging !== undefined);
    await tokens.verify({ token });
    expect(isHanging).toBe(true);
  });

  it('stay in use while the provider is down, whatever other tokens come meanwhile', async () => {
    await tokens.verify({ token: await signed({}) });
    issuer.stop();
    for (const laterMs of [0, COOLDOWN_MS, MAX_AGE_MS]) {
      clock.advance(laterMs);
      const unknown = await refusalOf(tokens, await signed({}, NEW));
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
    [
      'has another issuer, with a long name',
      () => answer(200, JSON.stringify({ issuer: 'x'.repeat(100_000), jwks_uri: 'https://a/jwks' })),
      `its issuer is ${'x'.repeat(200)}; try again`,
    ],
    ...['http://id.example.org/jwks', 'https://user:secret@id.example.org/jwks', 'ftp://localhost/jwks'].map(
      (jwks_uri): [string, () => Handler, string] => [
        `gives its keys at ${jwks_uri}`,
        () => answer(200, JSON.stringify({ issuer: issuer.url, jwks_uri })),
        'its jwks_uri must be https:, without user; try again',
      ],
    ),
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
      const error = await refusalOf(tokens, await signed({}));
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
      for (const refused of await Promise.all(all.map((token) => refusalOf(tokens, token))))
        expect(refused.kind).toBe('unavailable');
      clock.advance(COOLDOWN_MS - 1);
      for (const token of all) expect((await refusalOf(tokens, token)).message).toContain('HTTP 503');
      expect(issuer.requests).toEqual(Array(times).fill(DISCOVERY));
    }
  });

  it('because it is not reachable leads to no refusal', async () => {
    issuer.stop();
    expect((await refusalOf(tokens, await signed({}))).kind).toBe('unavailable');
  });
});
