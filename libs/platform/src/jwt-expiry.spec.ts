import { jwtExpiry } from './jwt-expiry.js';

const jwtOf = (claims: string): string => `e30.${Buffer.from(claims).toString('base64url')}.c2ln`;

describe('the expiry of a JWT', () => {
  it('is its claim exp, in milliseconds', () => {
    expect(jwtExpiry(jwtOf('{"exp":1800000000}'))).toBe(1_800_000_000_000);
    expect(jwtExpiry(jwtOf('{"exp":1800000000.5}'))).toBe(1_800_000_000_500);
  });

  it.each([
    ['has no exp', jwtOf('{}')],
    ['has an exp that is no number', jwtOf('{"exp":"1800000000"}')],
    ['has an infinite exp', jwtOf('{"exp":1e999}')],
    ['holds no object', jwtOf('null')],
    ['holds no JSON', jwtOf('exp')],
    ['has two parts', jwtOf('{"exp":1800000000}').replace(/\.\w+$/, '')],
    ['has four parts', `${jwtOf('{"exp":1800000000}')}.x`],
    ['is an opaque word', 'opaque'],
    ['is empty', ''],
  ])('is not known where the token %s', (_, token) => {
    expect(jwtExpiry(token)).toBeUndefined();
  });
});
