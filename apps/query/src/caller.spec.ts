import { callerId } from './caller.js';

describe('a caller', () => {
  const caller = {
    deadline: Infinity,
    isGone: () => false,
    address: () => '10.0.0.1',
    certificateName: () => undefined,
  };

  it('is known by its credential, which its name does not tell, and else by where it comes from', () => {
    const names = [['Bearer a'], ['Bearer b'], []].map((authorization) =>
      callerId({ ...caller, authorization }, true),
    );
    expect(new Set(names).size).toBe(3);
    expect(names.join()).not.toContain('Bearer');
    expect(names[2]).toBe('10.0.0.1');
  });

  const namesOf = (authorizations: string[], byCredential = true) =>
    new Set(authorizations.map((value) => callerId({ ...caller, authorization: [value] }, byCredential)));
  const kubernetes = (json: string): string => `KubernetesAuth ${Buffer.from(json).toString('base64url')}`;

  it.each([
    ['Basic', ['Basic YTpi', 'BASIC YTpi', 'bAsic YTpi']],
    ['Bearer', ['Bearer e30.e30.c2ln', 'bEARER e30.e30.c2ln', 'Bearer e30.e30.c2lo=']],
    [
      'KubernetesAuth',
      ['{"token":"t","ca":"c"}', '{"ca":"c", "token" : "t"}', '{"token":"\\u0074","ca":"d","x":1}'].map(
        kubernetes,
      ),
    ],
  ])('is one, however its credential is spelled: %s', (_, spellings) => {
    expect(namesOf(spellings).size).toBe(1);
  });

  it('is another with another credential', () => {
    const tokens = [kubernetes('{"token":"t","ca":"c"}'), kubernetes('{"token":"u","ca":"c"}')];
    expect(namesOf(['Basic YTpi', 'Basic YTpj', 'Bearer a.b.c', 'Bearer a.d.c', ...tokens]).size).toBe(6);
  });

  it('is known by where it comes from alone where nobody looks at credentials', () => {
    expect(namesOf(['Bearer a', 'Basic YTpi', 'nonsense'], false)).toEqual(new Set(['10.0.0.1']));
  });
});
