import type { Histogram, MetricValueWithName, Registry } from 'prom-client';

/** The durations with one value of the label. */
interface Series {
  /** How many are in each bucket; the last one has those above all bounds. */
  readonly inBuckets: number[];
  sum: number;
}

/**
 * A histogram by one label of what every call observes. It shows what prom-client's would, which takes a microsecond for each value: it checks
 * and hashes the labels, and looks the bucket up under its bound as a text.
 */
export class Durations {
  readonly labelNames: readonly string[];
  private readonly series = new Map<string, Series>();

  /** @param bounds of the buckets, ascending. Seconds */
  constructor(
    readonly name: string,
    readonly help: string,
    private readonly bounds: readonly number[],
    private readonly label: string,
    registry: Registry,
  ) {
    this.labelNames = [label];
    // A metric is asked for its name and for what it shows.
    registry.registerMetric(this as unknown as Histogram);
  }

  /** @param value of the label */
  observe(value: string, seconds: number): void {
    let series = this.series.get(value);
    if (series === undefined) {
      series = { inBuckets: Array<number>(this.bounds.length + 1).fill(0), sum: 0 };
      this.series.set(value, series);
    }
    let bucket = 0;
    while (seconds > (this.bounds[bucket] ?? Infinity)) bucket++;
    series.inBuckets[bucket] = (series.inBuckets[bucket] ?? 0) + 1;
    series.sum += seconds;
  }

  /** As prom-client's. */
  get(): Promise<{
    readonly name: string;
    readonly help: string;
    readonly type: 'histogram';
    readonly aggregator: 'sum';
    readonly values: readonly MetricValueWithName<string>[];
  }> {
    const { name, help } = this;
    const values = Array.from(this.series, ([value, series]) => this.valuesOf(value, series)).flat();
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  }

  private valuesOf(value: string, { inBuckets, sum }: Series): MetricValueWithName<string>[] {
    const labels = { [this.label]: value };
    let count = 0;
    const buckets = inBuckets.map((times, i) => {
      count += times;
      const le = this.bounds[i] ?? '+Inf';
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ];
  }
}
