import { heatOf, isHotter, type Heat } from './heat.js';

describe('a job set', () => {
  it.each([
    ['that is polled and has events', 1_000, 1_000, 0, 'hot'],
    ['that is polled and has unfinished jobs', 1_000, 100_000, 1, 'warm'],
    ['that is polled, and ended long ago', 1_000, 100_000, 0, 'cold'],
    ['that has events, and is not polled', 100_000, 1_000, 1, 'cold'],
    ['without any event yet', 1_000, Infinity, 0, 'cold'],
  ])('%s is as hot', (_, pollAge, eventAge, unfinished, heat) =>
    expect(heatOf({ pollAge, eventAge, unfinished })).toBe(heat),
  );

  it('is hotter than every colder one, and no other', () => {
    const heats: Heat[] = ['cold', 'warm', 'hot'];
    expect(heats.map((heat) => heats.filter((other) => isHotter(heat, other)).length)).toEqual([0, 1, 2]);
  });
});
