import { Guide } from './guide.js';
import { newestHelm } from './helm.js';
import { customProblemsIn, installValidator, problemsIn } from './kubernetes-schemas.js';

/** Helm is built from its source the first time. */
const BUILD_MS = 900_000;

const guide = new Guide('kubernetes.md');
let python: string;
beforeAll(() => {
  newestHelm();
  python = installValidator();
}, BUILD_MS);
afterAll(() => guide.remove());

it('the guide installs both charts twice: for a first try, and for good', () => {
  expect(guide.installs().map(([, , ...rest]) => rest.find((word) => word.startsWith('deploy/')))).toEqual([
    'deploy/helm/ingester',
    'deploy/helm/query',
    'deploy/helm/ingester',
    'deploy/helm/query',
  ]);
});

it.each(guide.installs().map((command) => [command.slice(0, 5).join(' '), command]))(
  '%s makes what Kubernetes accepts',
  (_, command) => {
    const objects = guide.made(command);
    expect(objects.length).toBeGreaterThan(3);
    expect(problemsIn(python, '1.34.0', objects)).toBe('');
    for (const object of objects) expect(customProblemsIn(object) ?? '').toBe('');
  },
);

it('names only objects that the charts make', () => {
  const objects = guide.installs().flatMap((command) => guide.made(command));
  const names = new Set(objects.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`));
  for (const [, name = ''] of guide.text.matchAll(/(?<![\w-])((?:deployment|service)\/[\w-]+)/g))
    expect(names).toContain(name);
  const hosts = guide.text.matchAll(/\b((?:ingester|query)-armada-job-service-[\w-]+)\.jobs:(\d+)/g);
  const services = objects.filter(({ kind }) => kind === 'Service');
  for (const [, host, port] of hosts) {
    const service = services.find(({ metadata }) => metadata.name === host);
    const { ports } = (service?.['spec'] ?? { ports: [] }) as { ports: { port: number }[] };
    expect([host, ports.map((one) => one.port)]).toEqual([host, expect.arrayContaining([Number(port)])]);
  }
});
