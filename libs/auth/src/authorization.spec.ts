import { problemOfAuthorization } from './index.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const base64url = (text: string): string => Buffer.from(text).toString('base64url');
const kubernetes = (value: unknown): string => `KubernetesAuth ${base64url(JSON.stringify(value))}`;

describe('the authorization of a call', () => {
  it.each([
    ['Basic', `Basic ${base64('user:password')}`],
    ['Basic in any case', `bASIC ${base64('user:password')}`],
    ['Basic with colons in the password, or nothing but one', `basic ${base64(':')}`],
    ['Basic with other bytes than text', `Basic ${Buffer.from([0xff, 0x3a, 0xfe]).toString('base64')}`],
    ['Bearer', 'Bearer abc-DEF_123.~+/=='],
    ['Bearer in any case', 'BEARER eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln'],
    ['KubernetesAuth', kubernetes({ token: 't', ca: 'c' })],
  ])('is well-formed: %s', (_, value) => {
    expect(problemOfAuthorization([value])).toBeUndefined();
  });

  it('may be as long as 16 KiB, and no byte longer', () => {
    const longest = `Bearer ${'a'.repeat(16_384 - 'Bearer '.length)}`;
    expect(problemOfAuthorization([longest])).toBeUndefined();
    expect(problemOfAuthorization([`${longest}a`])).toBe('is longer than 16384 bytes');
  });

  it('may be missing', () => {
    expect(problemOfAuthorization([])).toBeUndefined();
  });

  it.each([
    ['Basic without a colon', `Basic ${base64('secret')}`, 'without a colon'],
    ['Basic that is no base64', 'Basic secret:secret', 'not base64'],
    ['Basic of base64url', 'Basic -_-_', 'not base64'],
    ['Basic of base64 that is not canonical', 'Basic Og=', 'not base64'],
    ['Basic with bits that do not count', 'Basic Oh==', 'not base64'],
    ['a scheme that Go takes for Basic', `Ba\u017fic ${base64('a:b')}`, 'not printable ASCII'],
    ['more than 16 KiB', `Bearer ${'secret'.repeat(3_000)}`, 'longer than 16384 bytes'],
    ['Basic without its padding', `Basic ${base64('a:bc').slice(0, -1)}`, 'not base64'],
    ['Basic with nothing', 'Basic ', 'not a scheme and a credential'],
    ['a scheme alone', 'Basic', 'not a scheme and a credential'],
    ['nothing', '', 'not a scheme and a credential'],
    ['two spaces', `Basic  ${base64('a:b')}`, 'not a scheme and a credential'],
    ['two credentials', 'Bearer secret, Bearer secret', 'not a scheme and a credential'],
    ['Bearer with odd characters', 'Bearer sec"ret', 'characters that are not allowed'],
    ['an unknown scheme', 'Digest secret', 'other than Basic, Bearer and KubernetesAuth'],
    ['KubernetesAuth in another case', kubernetes({ token: 't', ca: 'c' }).toLowerCase(), 'other than Basic'],
    ['KubernetesAuth with padding', `KubernetesAuth ${base64('{"token":"t","ca":"c"}')}`, '"token" and "ca"'],
    ['KubernetesAuth without a CA', kubernetes({ token: 'secret' }), '"token" and "ca"'],
    ['KubernetesAuth with an empty token', kubernetes({ token: '', ca: 'secret' }), '"token" and "ca"'],
    ['KubernetesAuth with an empty CA', kubernetes({ token: 'secret', ca: '' }), '"token" and "ca"'],
    [
      'KubernetesAuth with a token of another type',
      kubernetes({ token: 7, ca: 'secret' }),
      '"token" and "ca"',
    ],
    ['KubernetesAuth without a token', kubernetes({ ca: 'secret' }), '"token" and "ca"'],
    ['KubernetesAuth with a CA of another type', kubernetes({ token: 'secret', ca: 7 }), '"token" and "ca"'],
    ['KubernetesAuth of null', kubernetes(null), '"token" and "ca"'],
    ['KubernetesAuth of no JSON', `KubernetesAuth ${base64url('secret')}`, '"token" and "ca"'],
    ['a control character', 'Bearer sec\tret', 'not printable ASCII'],
    ['a character beyond ASCII', 'Bearer secré', 'not printable ASCII'],
  ])('is malformed, and the problem shows no part of it: %s', (_, value, problem) => {
    const text = problemOfAuthorization([value]);
    expect(text).toContain(problem);
    expect(text).not.toMatch(/sec|Digest/);
  });

  it('is malformed where there are two values, or bytes', () => {
    expect(problemOfAuthorization(['Bearer a', 'Bearer a'])).toContain('more than once');
    expect(problemOfAuthorization([Buffer.from('Bearer a')])).toContain('not printable ASCII');
  });
});
