import type { MetricObject } from 'prom-client';
import { IngesterMetrics, Metrics, PREFIX, QueryMetrics } from './metrics.js';

/** Our own metrics as a Markdown table, for docs/metrics.md. */
export async function metricsTable(): Promise<string> {
  const common = await rowsOf(new Metrics());
  const [ingester, query] = [await rowsOf(new IngesterMetrics()), await rowsOf(new QueryMetrics())];
  const rows = [...new Map([...ingester, ...query])].map(([name, row]) => {
    const process = common.has(name) ? 'both' : ingester.has(name) ? 'ingester' : 'query';
    return `| \`${name}\` | ${process} | ${row} |`;
  });
  return ['| metric | process | type | labels | description |', '|---|---|---|---|---|', ...rows.sort()].join(
    '\n',
  );
}

/** All but the first two columns, by the metric's name. */
async function rowsOf({ registry }: Metrics): Promise<Map<string, string>> {
  const ours = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith(PREFIX));
  return new Map(
    ours.map(({ name, type, help }: MetricObject) => {
      const { labelNames = [] } = registry.getSingleMetric(name) as { labelNames?: string[] };
      const labels = labelNames.map((label) => `\`${label}\``).join(', ');
      return [name, `${String(type)} | ${labels} | ${help}`];
    }),
  );
}
