import fc from 'fast-check';
import { readJson } from './read-json.js';

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

it('parses JSON that is not too deep', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) =>
      expect(readJson(text, 1_000_000)).toEqual(JSON.parse(text)),
    ),
  );
});

it('does not count brackets and commas in strings', () => {
  expect(readJson('["[[[[,,,[[[\\"[[[[[[["]', 3)).toEqual(['[[[[,,,[[["[[[[[[[']);
});

it.each([9, 500_000])('rejects %i levels', (levels) => {
  expect(() => readJson(nested(levels), 1_000_000)).toThrow('nested deeper than 8 levels');
});

it('rejects more values than allowed, those that hold others included', () => {
  const text = '[1,2,{"a":3}]';
  expect(() => readJson(text, 4)).toThrow('more than 4 values');
  expect(readJson(text, 5)).toEqual(JSON.parse(text));
});
