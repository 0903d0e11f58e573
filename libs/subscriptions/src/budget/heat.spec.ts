import { heatOf, isHotter, type Heat } from './heat.js';

describe('a job set', () => {
  it.each([
    ['that is asked about and brings events', 1_000, 1_000, 0, 'hot'],
    ['that is asked about and has jobs that run', 1_000, 100_000, 1, 'warm'],
    ['that is asked about, and all has ended long ago', 1_000, 100_000, 0, 'cold'],
    ['that brings events, and nobody asks', 100_000, 1_000, 1, 'cold'],
    ['without any event yet', 1_000, Infinity, 0, 'cold'],
  ])('%s is as hot', (_, pollAge, eventAge, unfinished, heat) =>
    expect(heatOf({ pollAge, eventAge, unfinished })).toBe(heat),
  );

  it('is hotter than another', () => {
    const heats: Heat[] = ['cold', 'warm', 'hot'];
    expect(heats.map((heat) => heats.filter((other) => isHotter(heat, other)).length)).toEqual([0, 1, 2]);
  });
});
