import { inParts } from './in-parts.js';

it.each([
  [[], []],
  [[1], [[1]]],
  [[1, 2], [[1, 2]]],
  [
    [1, 2, 3, 4, 5],
    [[1, 2], [3, 4], [5]],
  ],
])('parts of at most two of %j hold all of it, in its order', (all, parts) => {
  expect(inParts<number>(all, 2)).toEqual(parts);
});
