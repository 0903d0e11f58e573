import type { MetricObject } from 'prom-client';
import { Metrics, PREFIX } from './metrics.js';

/** Our own metrics as a Markdown table, for docs/metrics.md. */
export async function metricsTable(): Promise<string> {
  const { registry } = new Metrics();
  const ours = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith(PREFIX));
  const rows = ours.map(({ name, type, help }: MetricObject) => {
    const { labelNames = [] } = registry.getSingleMetric(name) as { labelNames?: string[] };
    const labels = labelNames.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${String(type)} | ${labels} | ${help} |`;
  });
  return ['| metric | type | labels | description |', '|---|---|---|---|', ...rows.sort()].join('\n');
}
