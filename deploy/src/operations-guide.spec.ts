import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '@ajs/config';
import { Guide } from './guide.js';
import { newestHelm, type Rendered } from './helm.js';
import { installValidator, problemsIn } from './kubernetes-schemas.js';

/** Helm is built from its source the first time. */
const BUILD_MS = 900_000;

const guide = new Guide('operations.md');
const installs = guide.installs().map((command) => [command.join(' '), command] as const);
let python: string;
let folder: string;
beforeAll(() => {
  newestHelm();
  python = installValidator();
  folder = mkdtempSync(join(tmpdir(), 'settings-'));
}, BUILD_MS);
afterAll(() => {
  guide.remove();
  rmSync(folder, { recursive: true });
});

/** What the process of a release reads. */
function settingsOf(objects: readonly Rendered[]) {
  const secret = objects.find(({ kind }) => kind === 'Secret');
  const { 'settings.yaml': text = '' } = (secret?.['stringData'] ?? {}) as Record<string, string>;
  const file = join(folder, 'settings.yaml');
  writeFileSync(file, text);
  return loadSettings({ argv: ['--config', file], env: {} });
}

it('docs/operations.md installs both charts for one of several Armadas', () => {
  expect(installs.map(([, command]) => command[4])).toEqual(['deploy/helm/ingester', 'deploy/helm/query']);
});

it.each(installs)('%s makes what Kubernetes accepts, with the prefix of its Armada', (_, command) => {
  const objects = guide.made(command);
  expect(problemsIn(python, '1.34.0', objects)).toBe('');
  expect(settingsOf(objects).redis).toMatchObject({ kind: 'cluster', keyPrefix: 'lab' });
});
