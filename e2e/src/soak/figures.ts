/** Figures of one moment, by name. */
export type Sample = ReadonlyMap<string, number>;

/** How the samples of one row of the report become one figure. */
export type Summary = 'mean' | 'least' | 'most';

export interface Column {
  readonly name: string;
  readonly unit: string;
  readonly summary: Summary;
  /** The rise that is allowed over the whole judged time, if it is more than a tenth of the mean. Left out: shown, not judged. */
  readonly mayRise?: number;
  /** The target of each row, within a tenth: a run without its load proves nothing. */
  readonly mustBe?: number;
}

export interface Judged {
  readonly column: Column;
  readonly mean: number;
  /** By the fitted line, from the first to the last judged row. */
  readonly rise: number;
  readonly allowed: number;
  readonly isFlat: boolean;
}

/** Whether a load was kept up all the time. */
export interface Kept {
  readonly column: Column;
  readonly mustBe: number;
  /** The value of the row that is furthest from it. */
  readonly furthest: number;
  readonly isKept: boolean;
}

/** Polls of a whole run. */
export interface PollCounts {
  readonly polls: number;
  /** Without a state. */
  readonly errors: number;
  /** Without a terminal state long after the job had ended. */
  readonly late: number;
}

/** The share by which a load may miss its target. */
const OFF = 0.1;
/** One poll in so many may be without a state. */
const POLLS_PER_ERROR = 1_000;

/** A rise by a smaller share of the mean is ignored. */
const RISE_OF_MEAN = 0.1;

const SUMMARIES: Readonly<Record<Summary, (values: readonly number[]) => number>> = {
  mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  least: (values) => Math.min(...values),
  most: (values) => Math.max(...values),
};

/** How far a job set is behind: milliseconds since its newest event in Redis, or since it began where Redis has none. */
export function ageOf(cursor: string | null, beganAt: number, now: number): number {
  const [ms = ''] = (cursor ?? '').split(':');
  return now - (ms === '' ? beganAt : Number(ms));
}

/** Combines samples into rows of so many; an incomplete last row is dropped. */
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

/** Whether each column with a limit is flat in these rows: only a rise counts. */
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

/** Whether each row has its target load. */
export function judgeLoad(rows: readonly (readonly number[])[], columns: readonly Column[]): Kept[] {
  return columns.flatMap((column, i) => {
    const { mustBe } = column;
    if (mustBe === undefined) return [];
    const values = rows.map((row) => row[i] ?? NaN);
    const isKept = values.length > 0 && values.every((value) => Math.abs(value - mustBe) <= mustBe * OFF);
    const [furthest = NaN] = values.toSorted((a, b) => Math.abs(b - mustBe) - Math.abs(a - mustBe));
    return [{ column, mustBe, furthest, isKept }];
  });
}

/** Whether all but very few polls were answered, and none late. */
export function areAnswered({ polls, errors, late }: PollCounts): boolean {
  return polls > 0 && errors * POLLS_PER_ERROR <= polls && late === 0;
}

/** The slope per row of the line of least squares. */
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
