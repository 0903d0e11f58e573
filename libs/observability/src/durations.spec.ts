import { Histogram, Registry } from 'prom-client';
import { Durations } from './durations.js';

const [NAME, HELP, BOUNDS] = ['call_duration_seconds', 'Time of a call', [0.001, 0.25, 10]];

it('durations are shown as by a histogram of prom-client', async () => {
  const [registry, theirs] = [new Registry(), new Registry()];
  const durations = new Durations(NAME, HELP, BOUNDS, 'api', registry);
  const config = { name: NAME, help: HELP, buckets: BOUNDS, labelNames: ['api'], registers: [theirs] };
  const histogram = new Histogram(config);
  expect(await registry.metrics()).toBe(await theirs.metrics());
  for (const api of ['legacy', 'jobs "1"']) {
    for (const seconds of [0, 0.001, 0.0011, 0.25, 0.3, 10, 10.5, 1_000]) {
      durations.observe(api, seconds);
      histogram.observe({ api }, seconds);
      expect(await registry.metrics()).toBe(await theirs.metrics());
    }
  }
});
