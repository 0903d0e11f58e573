import { MonotonicTime } from '@ajs/job-state';
import { callerId } from './caller.js';

describe('a caller', () => {
  const caller = {
    deadline: MonotonicTime(Infinity),
    isGone: () => false,
    address: () => '10.0.0.1',
    certificateName: () => undefined,
  };

  it('is identified by its credential, which its id does not reveal, else by its address', () => {
    const ids = [['Bearer a'], ['Bearer b'], []].map((authorization) =>
      callerId({ ...caller, authorization }, true),
    );
    expect(new Set(ids).size).toBe(3);
    expect(ids.join()).not.toContain('Bearer');
    expect(ids[2]).toBe('10.0.0.1');
  });

  const idsOf = (authorizations: string[], byCredential = true) =>
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
  ])('is the same however its credential is spelled: %s', (_, spellings) => {
    expect(idsOf(spellings).size).toBe(1);
  });

  it('is another with another credential', () => {
    const tokens = [kubernetes('{"token":"t","ca":"c"}'), kubernetes('{"token":"u","ca":"c"}')];
    expect(idsOf(['Basic YTpi', 'Basic YTpj', 'Bearer a.b.c', 'Bearer a.d.c', ...tokens]).size).toBe(6);
  });

  it('is identified by its address alone where credentials are not checked', () => {
    expect(idsOf(['Bearer a', 'Basic YTpi', 'nonsense'], false)).toEqual(new Set(['10.0.0.1']));
  });
});
