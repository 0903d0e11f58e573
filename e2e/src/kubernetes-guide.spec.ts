import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { JobState } from '@ajs/contracts/api/submit';
import { TemporaryFolder, armadaJob, jobEvents } from '@ajs/testing';
import type { App } from './patched-build.js';
import { patiently } from './patiently.js';
import { installClients } from './scaling/pollers.js';
import { Stack } from './stack.js';
import { JOB, QUEUE } from './traffic.js';
import { ROOT } from './root.js';

const execute = promisify(execFile);
const GUIDE = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8').replaceAll(/\\\n\s+/g, '');
const PYTHON_BLOCKS = Array.from(GUIDE.matchAll(/```python\n([\s\S]*?)```/g), ([, text = '']) => text);
const CHECK = join(ROOT, 'e2e/python/docs/check_calls.py');

/** Where commands run that the guide gives to pods: with their settings, and the ports of a stack. */
let stack: Stack;
let folder: TemporaryFolder;
const http: Record<App, string> = { ingester: '', query: '' };

beforeAll(async () => {
  folder = new TemporaryFolder('guide');
  stack = await Stack.start();
  for (const app of ['ingester', 'query'] as const) {
    writeFileSync(settingsOf(app), JSON.stringify({ ...firstTry(app), ...addresses() }));
  }
  const ingester = await stack.ingester();
  const { http: address } = await ingester.logged('health and metrics are served');
  http.ingester = String(address);
  http.query = (await stack.query()).http.replace('http://', '');
}, 180_000);
afterAll(async () => {
  await stack.stop();
  folder.remove();
});

const settingsOf = (app: App): string => folder.file(`${app}.yaml`);
const addresses = () => ({ armadaUrl: stack.armadaAddress, redisUrl: stack.redis.url });

/** The settings that the guide installs a chart with for a first try. */
function firstTry(app: App): Record<string, unknown> {
  const [command = ''] = GUIDE.match(new RegExp(`^ {4}helm install ${app} .*$`, 'm')) ?? [];
  const settings = Array.from(command.matchAll(/applicationConfig\.(\w+)=(\S+)/g), ([, name = '', value]) => [
    name,
    value === 'true' ? true : value,
  ]);
  expect(settings.length).toBeGreaterThan(1);
  return Object.fromEntries(settings) as Record<string, unknown>;
}

/** The commands of the guide with this program in them, each once. */
function linesWith(program: string): string[] {
  return [...new Set(GUIDE.split('\n').filter((line) => line.startsWith('    ') && line.includes(program)))];
}

/** Resolves to what the command prints; rejects where it fails. */
async function run(command: string): Promise<string> {
  return (await execute('sh', ['-c', command], { cwd: ROOT })).stdout;
}

const CURLS = linesWith('curl ');
const CHECKS = linesWith('--check-config');

it('has the commands that are run here, and no others for which there need not be a cluster', () => {
  expect([CURLS.length, CHECKS.length, PYTHON_BLOCKS.length]).toEqual([2, 1, 3]);
});

it.each(CURLS)('%s', async (command) => {
  const job = armadaJob({ queue: QUEUE, jobSetId: 'guide', jobId: '01m85vnck01jqpr3vd00000001' });
  stack.armada.state.move(job, JobState.RUNNING, [
    ...jobEvents.submitted(job, JOB),
    ...jobEvents.running(job, JOB),
  ]);
  const here = command
    .replace('localhost:8091', http.ingester)
    .replace('localhost:8090', http.query)
    .replace('JOB_ID', job.jobId)
    .replace('curl ', 'curl --silent --show-error --fail ');
  expect(here).not.toContain('localhost');
  const expected = command.includes('readyz') ? '"ready":true' : `:${JobState.RUNNING}`;
  await patiently(`it prints ${expected}`, async () => (await run(here)).includes(expected));
});

it.each((['ingester', 'query'] as const).flatMap((app) => CHECKS.map((command) => [app, command] as const)))(
  'in a pod of the %s: %s',
  async (app, command) => {
    const here = command
      .replace(/.* -- /, '')
      .replace('/nodejs/bin/node main.js', `${process.execPath} dist/apps/${app}/main.js`)
      .replace('/etc/armada-job-service/settings.yaml', settingsOf(app));
    expect(await run(here)).toContain('Redis');
  },
);

it.each(PYTHON_BLOCKS)(
  'the operators take what Python gives them: %s',
  (block) => {
    const clients = installClients();
    const python = block.includes('job_service_channel_args') ? clients.older : clients.newer;
    const { status, stderr } = spawnSync(python, [CHECK], { input: block, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  },
  120_000,
);
