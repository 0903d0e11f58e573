import fc from 'fast-check';
import { readJson } from './read-json.js';

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

it('parses JSON that is not too deep', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => expect(readJson(text)).toEqual(JSON.parse(text))),
  );
});

it('does not count brackets in strings', () => {
  expect(readJson('["[[[[[[[[[[\\"[[[[[[["]')).toEqual(['[[[[[[[[[["[[[[[[[']);
});

it.each([9, 500_000])('rejects %i levels', (levels) => {
  expect(() => readJson(nested(levels))).toThrow('nested deeper than 8 levels');
});
