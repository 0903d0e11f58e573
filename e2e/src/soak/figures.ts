/** Figures of one moment, by name. */
export type Sample = ReadonlyMap<string, number>;

/** How the samples of one row of the report become one figure. */
export type Summary = 'mean' | 'least' | 'most';

export interface Column {
  readonly name: string;
  readonly unit: string;
  readonly summary: Summary;
  /** Left out: shown, and not judged. A rise by less, over the whole judged time, is no rise. */
  readonly mayRise?: number;
}

export interface Judged {
  readonly column: Column;
  readonly mean: number;
  /** By the fitted line, from the first to the last judged row. */
  readonly rise: number;
  readonly allowed: number;
  readonly isFlat: boolean;
}

/** A rise by a smaller part of the mean is no rise. */
const RISE_OF_MEAN = 0.1;

const SUMMARIES: Readonly<Record<Summary, (values: readonly number[]) => number>> = {
  mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  least: (values) => Math.min(...values),
  most: (values) => Math.max(...values),
};

/** Sums samples up in rows of so many; what is left at the end makes no row. */
export function rowsOf(
  samples: readonly Sample[],
  perRow: number,
  columns: readonly Column[],
): (readonly number[])[] {
  const rows: number[][] = [];
  for (let first = 0; first + perRow <= samples.length; first += perRow) {
    const part = samples.slice(first, first + perRow);
    rows.push(
      columns.map(({ name, summary }) => {
        const values = part.map((sample) => sample.get(name)).filter((value) => value !== undefined);
        return values.length === 0 ? NaN : SUMMARIES[summary](values);
      }),
    );
  }
  return rows;
}

/** Whether what must be flat is, in these rows: a rise counts, a fall does not. */
export function judge(rows: readonly (readonly number[])[], columns: readonly Column[]): Judged[] {
  return columns.flatMap((column, i) => {
    if (column.mayRise === undefined) return [];
    const values = rows.map((row) => row[i] ?? NaN);
    const mean = SUMMARIES.mean(values);
    const rise = slopeOf(values) * (values.length - 1);
    const allowed = Math.max(column.mayRise, Math.abs(mean) * RISE_OF_MEAN);
    return [{ column, mean, rise, allowed, isFlat: rise <= allowed }];
  });
}

/** Of the line of least squares, a row. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  let above = 0;
  let below = 0;
  values.forEach((value, i) => {
    above += (i - middle) * value;
    below += (i - middle) ** 2;
  });
  return below === 0 ? 0 : above / below;
}
