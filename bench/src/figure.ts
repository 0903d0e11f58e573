/** One line of the report. */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  /** Left out where there is no target. */
  readonly met?: boolean;
}

/** The figures as a Markdown table. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, measured, target, met }) => {
    const verdict = met === undefined ? '' : met ? 'met' : 'missed';
    return `| ${what} | ${measured} | ${target} | ${verdict} |`;
  });
  return ['| what | measured | target | |', '|---|---|---|---|', ...rows].join('\n');
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which a share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
}

export const thousands = (value: number): string => Math.round(value).toLocaleString('en-US');
