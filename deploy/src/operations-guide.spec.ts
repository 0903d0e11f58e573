import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '@ajs/config';
import { newestHelm, type Chart, type Rendered } from './helm.js';
import { installValidator, problemsIn } from './kubernetes-schemas.js';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
const [, FILE = '', VALUES = ''] = /```yaml\n# (\S+)\n([\s\S]*?)```/.exec(GUIDE) ?? [];
const COMMANDS = Array.from(GUIDE.matchAll(/^ {4}helm upgrade --install (.+)$/gm), ([, words = '']) => words);
/** Helm is built from its source the first time. */
const BUILD_MS = 900_000;

let python: string;
let folder: string;
beforeAll(() => {
  newestHelm();
  python = installValidator();
  folder = mkdtempSync(join(tmpdir(), 'guide-'));
  writeFileSync(join(folder, FILE), VALUES);
}, BUILD_MS);
afterAll(() => rmSync(folder, { recursive: true }));

/** What the process of a release reads. */
function settingsOf(objects: readonly Rendered[]) {
  const secret = objects.find(({ kind }) => kind === 'Secret');
  const { 'settings.yaml': text = '' } = (secret?.['stringData'] ?? {}) as Record<string, string>;
  const file = join(folder, 'settings.yaml');
  writeFileSync(file, text);
  return loadSettings({ argv: ['--config', file], env: {} });
}

it('docs/operations.md installs both charts for one of several Armadas', () => {
  expect(COMMANDS.map((words) => words.split(' ')[1])).toEqual(['deploy/helm/ingester', 'deploy/helm/query']);
});

it.each(COMMANDS)(
  'helm upgrade --install %s makes what Kubernetes accepts, with the prefix of its Armada',
  (words) => {
    const [release = '', chart = '', ...args] = words.split(' ');
    const objects = newestHelm().template(
      chart.split('/').at(-1) as Chart,
      release,
      args.map((word) => (word === FILE ? join(folder, FILE) : word)),
    );
    expect(problemsIn(python, '1.34.0', objects)).toBe('');
    expect(settingsOf(objects).redis).toMatchObject({ kind: 'cluster', keyPrefix: 'lab' });
  },
);
