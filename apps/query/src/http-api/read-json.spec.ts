import fc from 'fast-check';
import { readJson } from './read-json.js';

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

it('JSON that is not deep is read as it is', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => expect(readJson(text)).toEqual(JSON.parse(text))),
  );
});

it('brackets in strings are no levels', () => {
  expect(readJson('["[[[[[[[[[[\\"[[[[[[["]')).toEqual(['[[[[[[[[[["[[[[[[[']);
});

it.each([9, 500_000])('%i levels are refused', (levels) => {
  expect(() => readJson(nested(levels))).toThrow('it nests deeper than 8 levels');
});
