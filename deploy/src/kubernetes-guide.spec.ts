import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newestHelm, type Chart, type Rendered } from './helm.js';
import { customProblemsIn, installValidator, problemsIn } from './kubernetes-schemas.js';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8');
/** Helm is built from its source the first time. */
const BUILD_MS = 900_000;

/** The commands of the guide that begin with this word, each as its arguments. */
function commands(program: string): string[][] {
  const lines = GUIDE.replaceAll(/\\\n\s+/g, '').split('\n');
  const written = lines.filter((line) => line.startsWith(`    ${program} `));
  return written.map((line) => line.trim().split(/\s+/));
}

/** Every YAML block whose first line names its file. */
function files(): Map<string, string> {
  return new Map(
    Array.from(GUIDE.matchAll(/```yaml\n# (\S+)\n([\s\S]*?)```/g), ([, name = '', text = '']) => [
      name,
      text,
    ]),
  );
}

let folder: string;
let python: string;
beforeAll(() => {
  newestHelm();
  python = installValidator();
  folder = mkdtempSync(join(tmpdir(), 'guide-'));
  for (const [name, text] of files()) writeFileSync(join(folder, name), text);
}, BUILD_MS);
afterAll(() => rmSync(folder, { recursive: true }));

/** What a `helm install` or `helm upgrade --install` of the guide makes. */
function made(command: readonly string[]): Rendered[] {
  const [release, chart, ...args] = command.filter(
    (word) => !['helm', 'install', 'upgrade', '--install'].includes(word),
  );
  const values = args.map((word) => (files().has(word) ? join(folder, word) : word));
  return newestHelm().template(chart?.split('/').at(-1) as Chart, release ?? '', values);
}

it('the guide installs both charts twice: for a first try, and for good', () => {
  expect(commands('helm').map(([, , ...rest]) => rest.find((word) => word.startsWith('deploy/')))).toEqual([
    'deploy/helm/ingester',
    'deploy/helm/query',
    'deploy/helm/ingester',
    'deploy/helm/query',
  ]);
});

it.each(commands('helm').map((command) => [command.slice(0, 5).join(' '), command]))(
  '%s makes what Kubernetes accepts',
  (_, command) => {
    const objects = made(command);
    expect(objects.length).toBeGreaterThan(3);
    expect(problemsIn(python, '1.34.0', objects)).toBe('');
    for (const object of objects) expect(customProblemsIn(object) ?? '').toBe('');
  },
);

it('names only objects that the charts make', () => {
  const objects = commands('helm').flatMap(made);
  const names = new Set(objects.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`));
  for (const [, name = ''] of GUIDE.matchAll(/(?<![\w-])((?:deployment|service)\/[\w-]+)/g))
    expect(names).toContain(name);
  const hosts = GUIDE.matchAll(/\b((?:ingester|query)-armada-job-service-[\w-]+)\.jobs:(\d+)/g);
  const services = objects.filter(({ kind }) => kind === 'Service');
  for (const [, host, port] of hosts) {
    const service = services.find(({ metadata }) => metadata.name === host);
    const { ports } = (service?.['spec'] ?? { ports: [] }) as { ports: { port: number }[] };
    expect([host, ports.map((one) => one.port)]).toEqual([host, expect.arrayContaining([Number(port)])]);
  }
});
