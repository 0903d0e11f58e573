import { judge, rowsOf, type Column, type Sample } from './figures.js';

const column = (name: string, rest: Partial<Column> = {}): Column => ({
  name,
  unit: '',
  summary: 'mean',
  mayRise: 1,
  ...rest,
});
const samples = (values: readonly number[]): Sample[] => values.map((value) => new Map([['a', value]]));

describe('rows of samples', () => {
  it('sum up so many samples each, as the column says', () => {
    const columns = [column('a'), column('a', { summary: 'least' }), column('a', { summary: 'most' })];
    expect(rowsOf(samples([1, 2, 6, 4, 4, 4, 9]), 3, columns)).toEqual([
      [3, 1, 6],
      [4, 4, 4],
    ]);
  });
});

describe('the verdict', () => {
  const verdict = (values: readonly number[], rest: Partial<Column> = {}) =>
    judge(
      values.map((value) => [value]),
      [column('a', rest)],
    )[0];

  it('is flat for noise around a level', () => {
    expect(verdict([100, 104, 97, 101, 99, 103])).toMatchObject({ isFlat: true });
  });

  it('finds a steady rise above a tenth of the mean', () => {
    expect(verdict([100, 103, 106, 109, 112, 115, 118])).toMatchObject({ isFlat: false, rise: 18 });
  });

  it('lets small things rise by what the column allows', () => {
    expect(verdict([1, 2, 3, 4])).toMatchObject({ isFlat: false });
    expect(verdict([1, 2, 3, 4], { mayRise: 5 })).toMatchObject({ isFlat: true });
  });

  it('lets everything fall', () => {
    expect(verdict([100, 80, 60, 40])).toMatchObject({ isFlat: true });
  });

  it('says nothing of what is only shown', () => {
    expect(judge([[1], [9]], [{ name: 'a', unit: '', summary: 'mean' }])).toEqual([]);
  });
});
