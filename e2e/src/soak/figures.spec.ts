import { ageOf, areAnswered, judge, judgeLoad, rowsOf, type Column, type Sample } from './figures.js';
import { report, type SoakRun } from './report.js';

const column = (name: string, rest: Partial<Column> = {}): Column => ({
  name,
  unit: '',
  summary: 'mean',
  mayRise: 1,
  ...rest,
});
const samples = (values: readonly number[]): Sample[] => values.map((value) => new Map([['a', value]]));

describe('rows of samples', () => {
  it('combine their samples as the column says', () => {
    const columns = [column('a'), column('a', { summary: 'least' }), column('a', { summary: 'most' })];
    expect(rowsOf(samples([1, 2, 6, 4, 4, 4, 9]), 3, columns)).toEqual([
      [3, 1, 6],
      [4, 4, 4],
    ]);
  });
});

describe('the age of a job set', () => {
  it('is that of its newest event in Redis, or of the job set where it has none', () => {
    expect(ageOf('1500:3:0:1', 1_000, 2_000)).toBe(500);
    for (const nothing of [null, '']) expect(ageOf(nothing, 1_000, 2_000)).toBe(1_000);
  });
});

describe('the verdict', () => {
  const verdict = (values: readonly number[], rest: Partial<Column> = {}) =>
    judge(
      values.map((value) => [value]),
      [column('a', rest)],
    )[0];

  it('is flat for noise around a mean', () => {
    expect(verdict([100, 104, 97, 101, 99, 103])).toMatchObject({ isFlat: true });
  });

  it('rises where a steady rise exceeds a tenth of the mean', () => {
    expect(verdict([100, 103, 106, 109, 112, 115, 118])).toMatchObject({ isFlat: false, rise: 18 });
  });

  it('allows small figures to rise as far as the column says', () => {
    expect(verdict([1, 2, 3, 4])).toMatchObject({ isFlat: false });
    expect(verdict([1, 2, 3, 4], { mayRise: 5 })).toMatchObject({ isFlat: true });
  });

  it('allows every figure to fall', () => {
    expect(verdict([100, 80, 60, 40])).toMatchObject({ isFlat: true });
  });

  it('ignores columns without a limit', () => {
    expect(judge([[1], [9]], [{ name: 'a', unit: '', summary: 'mean' }])).toEqual([]);
  });
});

describe('the load', () => {
  const isKept = (values: readonly number[]): boolean | undefined =>
    judgeLoad(
      values.map((value) => [value]),
      [column('a', { mustBe: 100 })],
    )[0]?.isKept;

  it('must be within a tenth of its target in each row', () => {
    expect(isKept([100, 90, 110])).toBe(true);
    expect(isKept([100, 89, 100])).toBe(false);
    expect(isKept([100, 111, 100])).toBe(false);
    expect(isKept([100, NaN])).toBe(false);
    expect(isKept([])).toBe(false);
  });
});

describe('polls', () => {
  it('may fail once in a thousand times and are never late', () => {
    expect(areAnswered({ polls: 10_000, errors: 10, late: 0 })).toBe(true);
    expect(areAnswered({ polls: 10_000, errors: 11, late: 0 })).toBe(false);
    expect(areAnswered({ polls: 10_000, errors: 0, late: 1 })).toBe(false);
    expect(areAnswered({ polls: 0, errors: 0, late: 0 })).toBe(false);
  });
});

describe('the report', () => {
  const run: SoakRun = {
    minutes: 1,
    eventsPerSecond: 1,
    pollsPerSecond: 1,
    beganAt: '',
    secondsPerSample: 10,
    samples: samples([100, 100, 100, 100, 100, 100]),
    polls: { polls: 10_000, errors: 0, late: 0 },
    events: 1,
    jobSets: 1,
  };
  const inContainers = (peakMib: number) => ({
    mib: 512,
    areLimited: true,
    peakRss: new Map([['query 1', peakMib * 2 ** 20]]),
  });
  const reportOf = (rest: Partial<SoakRun>) => report({ ...run, ...rest }, [column('a', { mustBe: 100 })]);

  it('says that all is flat only where figures, load and answers are right', () => {
    for (const rest of [{}, { containers: inContainers(349) }]) {
      expect(reportOf(rest)).toMatchObject({
        isFlat: true,
        text: expect.stringContaining('All is flat.') as string,
      });
    }
    for (const rest of [
      { samples: samples([100, 100, 91, 97, 103, 109]) },
      { samples: samples([100, 100, 100, 100, 80, 100]) },
      { polls: { ...run.polls, late: 1 } },
      { containers: inContainers(351) },
    ]) {
      expect(reportOf(rest)).toMatchObject({
        isFlat: false,
        text: expect.stringContaining('Not flat: ') as string,
      });
    }
  });
});
