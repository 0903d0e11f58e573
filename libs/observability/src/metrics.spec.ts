import { IngesterMetrics, Metrics, PREFIX, QueryMetrics } from './metrics.js';

const namesOf = async ({ registry }: Metrics): Promise<string[]> =>
  (await registry.getMetricsAsJSON()).map(({ name }) => name).filter((name) => name.startsWith(PREFIX));

it.each([new IngesterMetrics(), new QueryMetrics()])(
  'names of metrics follow the practice of Prometheus',
  async ({ registry }) => {
    const metrics = await registry.getMetricsAsJSON();
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
  },
);

it('a process has the common metrics and its own, and none of the other process', async () => {
  const common = await namesOf(new Metrics());
  const [ingester, query] = [await namesOf(new IngesterMetrics()), await namesOf(new QueryMetrics())];
  expect(common).toContain(`${PREFIX}redis_errors_total`);
  expect(ingester).toContain(`${PREFIX}watches`);
  expect(query).toContain(`${PREFIX}shed_calls_total`);
  expect(ingester.filter((name) => query.includes(name))).toEqual(common);
});

it('calls that wait are counted when the metrics are read', async () => {
  const metrics = new QueryMetrics();
  let waiting = 3;
  metrics.waitingCalls.read = () => waiting;
  expect(await metrics.registry.metrics()).toContain(`${PREFIX}waiting_calls 3`);
  waiting = 0;
  expect(await metrics.registry.metrics()).toContain(`${PREFIX}waiting_calls 0`);
});

it('legacy polls are counted by answer, each once however often the metrics are read', async () => {
  const { legacyPolls, registry } = new QueryMetrics();
  for (const answer of ['RUNNING', 'FAILED', 'RUNNING']) legacyPolls.count(answer);
  await registry.metrics();
  legacyPolls.count('FAILED');
  const lines = (await registry.metrics()).split('\n').filter((line) => line.includes('legacy_polls_total{'));
  expect(lines).toEqual([
    `${PREFIX}legacy_polls_total{answer="RUNNING"} 2`,
    `${PREFIX}legacy_polls_total{answer="FAILED"} 2`,
  ]);
});
