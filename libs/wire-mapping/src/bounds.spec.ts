import { cut, cutForPeople, cutToBytes } from './bounds.js';

describe('a text that is cut', () => {
  it('is kept whole up to its longest length, and not one character longer', () => {
    expect([cut('abc', 4), cut('abcd', 4), cut('abcde', 4)]).toEqual(['abc', 'abcd', 'abcd']);
  });

  it.each(['\ud800\udc00', '\ud83d\ude00', '\udbff\udfff'])('is never cut inside a pair (%j)', (pair) => {
    expect(cut(`a${pair}b`, 2)).toBe('a');
    expect(cut(`a${pair}b`, 3)).toBe(`a${pair}`);
  });

  it('keeps half of a pair where nothing is cut', () => {
    expect(cut('a\ud800', 2)).toBe('a\ud800');
  });

  it.each(['\ud7ff', '\ue000'])('keeps a last character that is no half of a pair (%j)', (character) => {
    expect(cut(`a${character}b`, 2)).toBe(`a${character}`);
  });

  it('has at most its longest number of bytes, and ends with a whole character', () => {
    expect(cutToBytes('abc', 3)).toBe('abc');
    expect(cutToBytes('abcd', 3)).toBe('abc');
    expect(cutToBytes('äöü', 6)).toBe('äöü');
    expect(cutToBytes('äöü', 5)).toBe('äö');
    expect([4, 5, 6].map((bytes) => cutToBytes('ab\u{1f600}', bytes))).toEqual(['ab', 'ab', 'ab\u{1f600}']);
  });

  it('shows people that something is missing, within the same length', () => {
    expect([cutForPeople('abcd', 4), cutForPeople('abcde', 4)]).toEqual(['abcd', 'abc…']);
  });
});
