import { AuthError } from './authorizer.js';
import { acceptAuthorization, expiryOf, parseAuthorization, tokenIn } from './presented-credential.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const base64url = (text: string): string => Buffer.from(text).toString('base64url');
const JWT = `e30.${base64url('{"exp":1800000000}')}.c2ln`;
const kubernetes = (json: string): string => `KubernetesAuth ${base64url(json)}`;

describe('the authorization of a call', () => {
  it('is accepted as it is, and so is none', () => {
    expect(acceptAuthorization(['Bearer abc'])).toBe('Bearer abc');
    expect(acceptAuthorization([])).toBeUndefined();
  });

  it('is rejected for its problem where it is malformed', () => {
    expect(() => acceptAuthorization(['Bearer'])).toThrow(
      new AuthError(
        'unauthenticated',
        'the authorization is not a scheme and a credential separated by one space',
      ),
    );
  });

  it.each([
    [
      `bASIC ${base64('alice:pass:word')}`,
      { scheme: 'basic' as const, user: 'alice', password: 'pass:word' },
    ],
    [`Basic ${base64(':')}`, { scheme: 'basic' as const, user: '', password: '' }],
    ['BEARER a.b.c', { scheme: 'bearer' as const, token: 'a.b.c' }],
    ['KubernetesAuth abc', { scheme: 'kubernetes' as const, payload: 'abc' }],
  ])('is parsed by its scheme: %s', (authorization, presented) => {
    expect(parseAuthorization(authorization)).toEqual(presented);
  });
});

describe('the token of an authorization', () => {
  it.each([
    ['is that of Bearer', 'Bearer abc', 'abc'],
    ['is that inside a KubernetesAuth payload', kubernetes('{"token":"abc","ca":"c"}'), 'abc'],
    ['is none with a password', `Basic ${base64('alice:abc')}`, undefined],
    ['is none where the payload has no token', kubernetes('{"ca":"c"}'), undefined],
    ['is none where the payload has an empty one', kubernetes('{"token":""}'), undefined],
    ['is none where the payload has a number', kubernetes('{"token":1}'), undefined],
    ['is none where the payload is null', kubernetes('null'), undefined],
    ['is none where the payload is no JSON', kubernetes('abc'), undefined],
  ])('%s', (_, authorization, token) => {
    expect(tokenIn(authorization)).toBe(token);
  });

  it.each([
    ['is known by the claim of the token', `Bearer ${JWT}`, 1_800_000_000_000],
    ['is known by the claim of the token inside', kubernetes(`{"token":"${JWT}"}`), 1_800_000_000_000],
    ['is unknown of an opaque token', 'Bearer abc', undefined],
    ['is unknown of a password', `Basic ${base64('alice:abc')}`, undefined],
    ['is unknown where there are no credentials', undefined, undefined],
  ])('expires at a time that %s', (_, authorization, expiry) => {
    expect(expiryOf(authorization)).toBe(expiry);
  });
});
