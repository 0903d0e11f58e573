import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { installValidator } from './kubernetes-schemas.js';
import { ROOT } from './root.js';

const DOCKER = join(ROOT, 'docker');
const DOCKERFILES = readdirSync(DOCKER).filter((file) => file.endsWith('Dockerfile'));

let hadolint: string;
beforeAll(() => {
  hadolint = join(dirname(installValidator()), 'hadolint');
}, 300_000);

it.each(DOCKERFILES)('%s is as hadolint wants it', (file) => {
  const { status, stdout, stderr } = spawnSync(hadolint, [join(DOCKER, file)], { encoding: 'utf8' });
  expect([status, stdout + stderr]).toEqual([0, '']);
});

it.each(['ingester', 'query'])(
  'the image of the %s says what it is, of the version of the packages',
  (app) => {
    const dockerfile = readFileSync(join(DOCKER, `${app}.Dockerfile`), 'utf8');
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(dockerfile).toContain(`ARG VERSION=${version}\n`);
    for (const label of ['title', 'description', 'licenses', 'version', 'revision']) {
      expect(dockerfile).toContain(`org.opencontainers.image.${label}=`);
    }
  },
);

it.each(['ingester', 'query'])('the chart runs the %s as the user of its image', (app) => {
  const user = /^USER (\d+):(\d+)$/m.exec(readFileSync(join(DOCKER, `${app}.Dockerfile`), 'utf8'));
  const chart = readFileSync(join(ROOT, 'deploy/helm', app, 'templates/_common.tpl'), 'utf8');
  expect(chart).toContain(`runAsUser: ${user?.[1] ?? 'none'}\n`);
  expect(chart).toContain(`runAsGroup: ${user?.[2] ?? 'none'}\n`);
});
