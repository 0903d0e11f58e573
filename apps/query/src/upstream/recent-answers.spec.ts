import { RecentAnswers } from './recent-answers.js';

let now: number;
let recent: RecentAnswers<string>;
beforeEach(() => {
  now = 0;
  recent = new RecentAnswers(1_000, () => now);
});

it('an answer is reused for its time and no longer, and each key has its own', () => {
  recent.set('a', 'first');
  now = 500;
  recent.set('b', 'second');
  now = 999;
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual(['first', 'second', undefined]);
  now = 1_000;
  expect([recent.get('a'), recent.get('b')]).toEqual([undefined, 'second']);
});

it('a later answer stands in the place of the one before, for its own time', () => {
  recent.set('a', 'first');
  now = 999;
  recent.set('a', 'second');
  now = 1_998;
  expect(recent.get('a')).toBe('second');
});

it('no memory is taken by answers whose time is over, once another is given', () => {
  for (const key of ['a', 'b', 'c']) recent.set(key, 'old');
  now = 999;
  recent.set('b', 'new');
  now = 1_000;
  recent.set('d', 'new');
  expect([recent.size, recent.get('b'), recent.get('d')]).toEqual([2, 'new', 'new']);
});

it('at most 50,000 answers are kept, the last ones', () => {
  for (let n = 0; n <= 50_000; n++) recent.set(`${n}`, 'answer');
  expect([recent.size, recent.get('0'), recent.get('1')]).toEqual([50_000, undefined, 'answer']);
});
