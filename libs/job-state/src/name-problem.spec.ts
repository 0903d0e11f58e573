import { MAX_ID_BYTES, idProblem, nameProblem } from './name-problem.js';

describe.each([
  ['an id', idProblem, MAX_ID_BYTES, 'is longer than 63 bytes'],
  ['a name', nameProblem, 1_024, 'is longer than 1024 bytes'],
] as const)('%s from the network', (_, problemOf, max, tooLong) => {
  it('may have so many bytes of UTF-8, and not one more', () => {
    for (const longest of [
      'x'.repeat(max),
      `${'€'.repeat(Math.floor(max / 3))}${'x'.repeat(max % 3)}`,
      `${'é'.repeat(max / 2)}${'x'.repeat(max % 2)}`,
    ]) {
      expect(Buffer.byteLength(longest)).toBe(max);
      expect([problemOf(longest), problemOf(`${longest}x`)]).toEqual([undefined, tooLong]);
    }
    expect(problemOf('x'.repeat(1_000_000))).toBe(tooLong);
  });

  it('cannot be empty, nor what decodes as another', () => {
    expect([problemOf(''), problemOf('a\ufffd')]).toEqual(['is empty', 'is not valid UTF-8']);
  });
});
