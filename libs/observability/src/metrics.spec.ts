import { Metrics, PREFIX } from './metrics.js';

it('names of metrics follow the practice of Prometheus', async () => {
  const metrics = await new Metrics().registry.getMetricsAsJSON();
  const ours = metrics.filter(({ name }) => name.startsWith(PREFIX));
  const endings: Readonly<Record<string, RegExp>> = {
    counter: /_total$/,
    gauge: /^(?!.*_total$)/,
    histogram: /_(?:seconds|bytes)$/,
  };
  expect(ours.length).toBeGreaterThan(10);
  for (const { name, type, help } of ours) {
    expect(name).toMatch(endings[String(type)] ?? /no such type/);
    expect(help).toMatch(/^[A-Z].*[^.]$/);
  }
});
