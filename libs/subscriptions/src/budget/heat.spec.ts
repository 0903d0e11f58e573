import { COLD, HOTTEST, WARM, heatOf, yieldsTo } from './heat.js';

const POLLED = { pollAge: 1_000, pollsPerMinute: 1, unfinished: 1 };

describe('a job set', () => {
  it.each([
    [
      'that is polled and has unfinished jobs is warm',
      { ...POLLED, pollAge: 59_999, eventsPerMinute: 0 },
      WARM,
    ],
    ['whose events are too rare to count is warm', { ...POLLED, eventsPerMinute: 0.49 }, WARM],
    [
      'that is polled, and whose jobs have all ended, is cold',
      { ...POLLED, eventsPerMinute: 0, unfinished: 0 },
      COLD,
    ],
    [
      'that is not polled any more is cold, whatever happens to it',
      { ...POLLED, pollAge: 60_000, eventsPerMinute: 600 },
      COLD,
    ],
    ['with an event every two minutes is hot', { ...POLLED, eventsPerMinute: 0.5 }, 6],
    ['with twice as many is hotter by a degree', { ...POLLED, eventsPerMinute: 1 }, 7],
    [
      'with twice as many polls is hotter by a degree',
      { ...POLLED, eventsPerMinute: 1, pollsPerMinute: 2 },
      8,
    ],
    [
      'whose polls are fewer than one a minute is no colder',
      { ...POLLED, eventsPerMinute: 1, pollsPerMinute: 0.1 },
      7,
    ],
    [
      'that is polled often, and to which hardly anything happens, is warm',
      { ...POLLED, eventsPerMinute: 0.49, pollsPerMinute: 6_000 },
      WARM,
    ],
    ['with an event a second is hotter still', { ...POLLED, eventsPerMinute: 60 }, 12],
    [
      'whose jobs have all ended but for new ones is as hot',
      { ...POLLED, unfinished: 0, eventsPerMinute: 60 },
      12,
    ],
    [
      'with ten events and thirty polls a second is as hot as can be',
      { ...POLLED, eventsPerMinute: 600, pollsPerMinute: 1_800 },
      27,
    ],
    [
      'with thousands of events and many polls a second is as hot as can be',
      { ...POLLED, eventsPerMinute: 1_000_000, pollsPerMinute: 1_000 },
      HOTTEST,
    ],
  ])('%s', (_, activity, heat) => expect(heatOf(activity)).toBe(heat));

  it('gives its watch only to one with more than four times as many events, so that none flaps between about equal ones', () => {
    const heat = (eventsPerMinute: number): number => heatOf({ ...POLLED, eventsPerMinute });
    for (const rate of [1, 1.9, 10, 60]) {
      expect(yieldsTo(heat(4 * rate))).toBeLessThan(heat(rate));
      expect(yieldsTo(heat(8 * rate))).toBe(heat(rate));
    }
    expect(yieldsTo(heat(0.5))).toBe(WARM);
    expect(yieldsTo(WARM)).toBe(COLD);
  });
});
