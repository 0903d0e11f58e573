import { ManualClock } from '@ajs/testing';
import { jest } from '@jest/globals';
import { CompactSign, SignJWT, exportJWK, generateKeyPair } from 'jose';
import { OpenIdTokenVerifier } from './openid-token-verifier.js';
import { AUDIENCE, Issuer, inSeconds, newKey, refusalOf } from './testing/openid-issuer.js';

const KEY = await newKey('key');
// The provider says each time that it keeps everything in memory.
beforeAll(() => void jest.spyOn(console, 'warn').mockImplementation(() => undefined));
afterAll(() => void jest.restoreAllMocks());

let issuer: Issuer;
let tokens: OpenIdTokenVerifier;
beforeEach(async () => {
  issuer = await Issuer.start(KEY);
  tokens = new OpenIdTokenVerifier(
    { providerUrl: issuer.url, audience: [AUDIENCE], groupsClaim: 'groups', clockSkewSeconds: 30 },
    new ManualClock(),
  );
});
afterEach(() => issuer.stop());

const claims = () => ({ iss: issuer.url, aud: AUDIENCE, sub: 'someone', exp: inSeconds(300) });

/** Has the provider show these keys, as they are. */
function publish(...keys: object[]): void {
  issuer.instead = (request, response) => {
    const discovery = { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` };
    const document = request.url === '/jwks' ? { keys } : discovery;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  };
}

describe('the signature of an access token', () => {
  it.each([
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
    ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
  ])('may be one of %s', async (alg) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    publish({ ...(await exportJWK(publicKey)), kid: 'k', alg, use: 'sig' });
    const token = await new SignJWT(claims()).setProtectedHeader({ alg, kid: 'k' }).sign(privateKey);
    expect((await tokens.verify({ token })).principal.name).toBe('someone');
  });

  it.each<[string, () => Promise<string>]>([
    [
      'signs something else than claims',
      () =>
        new CompactSign(Buffer.from('no JSON'))
          .setProtectedHeader({ alg: 'RS256', kid: 'key' })
          .sign(KEY.privateKey),
    ],
    [
      'needs an extension that we do not know',
      () =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'RS256', kid: 'key', crit: ['x'], x: 1 })
          .sign(KEY.privateKey, { crit: { x: true } }),
    ],
  ])('is refused where it %s', async (_, token) => {
    expect((await refusalOf(tokens, await token())).kind).toBe('unauthenticated');
  });

  it('is refused where the provider has several keys that it may be of', async () => {
    const other = await newKey('other');
    const keys = [KEY, other].map(async ({ publicKey }) => ({
      ...(await exportJWK(publicKey)),
      alg: 'RS256',
    }));
    publish(...(await Promise.all(keys)));
    const token = await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256' }).sign(KEY.privateKey);
    expect((await refusalOf(tokens, token)).kind).toBe('unauthenticated');
  });
});
