import { nameOf } from './caller.js';

describe('a caller', () => {
  const caller = {
    deadline: Infinity,
    isGone: () => false,
    address: () => '10.0.0.1',
    certificateName: () => undefined,
  };

  it('is known by its credential, which its name does not tell, and else by where it comes from', () => {
    const names = [['Bearer a'], ['Bearer b'], []].map((authorization) =>
      nameOf({ ...caller, authorization }),
    );
    expect(new Set(names).size).toBe(3);
    expect(names.join()).not.toContain('Bearer');
    expect(names[2]).toBe('10.0.0.1');
  });
});
