import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { JobState } from '@ajs/contracts/api/submit';
import { TemporaryFolder, allRecordings } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { parse } from 'yaml';
import { AppProcess } from './app-process.js';
import { NODE_OF_THE_IMAGES, copyImage, entrypointOf, imageOf, nodeOfTheImages } from './container/image.js';
import { patiently } from './patiently.js';
import { Stack, pollCalmly } from './stack.js';
import { ROOT } from './root.js';

/** Makes Node fail wherever a file is opened for writing. */
const READING_ONLY = ['--allow-fs-read=*', 'main.js'];
const APPS = ['ingester', 'query'] as const;
const bare = new TemporaryFolder('images');
const apps: AppProcess[] = [];
let stack: Stack;

beforeAll(async () => {
  // Away from the packages of this repository.
  for (const app of APPS) copyImage(app, bare.path);
  stack = await Stack.start();
}, 180_000);

afterAll(async () => {
  await Promise.all(apps.map((app) => app.kill()));
  await stack.stop();
  bare.remove();
});

/** Name and version of every package in the bundle of an application, with its licence. */
const packagesIn = (app: string): string[] =>
  readFileSync(join(bare.path, app, 'LICENCES.txt'), 'utf8')
    .split(`\n\n${'-'.repeat(80)}\n\n`)
    .map((part) => part.split('\n', 1)[0] ?? '');

describe('the content of an image', () => {
  it.each([
    ['ingester', ['LICENCES.txt', 'main.js', 'package.json']],
    ['query', ['LICENCES.txt', 'main.js', 'package.json', 'packages']],
  ])('%s: the bundle, and no package besides', (app, rest) => {
    const isPart = (file: string): boolean => /^(app|chunk|file-type|platform-express)-\w+\.js$/.test(file);
    const files = readdirSync(bare.file(app)).filter((file) => !file.endsWith('.map'));
    expect(files.filter((file) => !isPart(file)).sort()).toEqual(rest);
  });

  it('each application carries the packages that it imports with their licences, and not those of the other', () => {
    const [ingester = [], query = []] = APPS.map(packagesIn);
    for (const ofQuery of ['swagger-ui-dist', '@grpc/reflection', 'grpc-health-check', 'jose']) {
      expect(query.filter((one) => one.startsWith(`${ofQuery} `))).toHaveLength(1);
      expect(ingester.filter((one) => one.startsWith(`${ofQuery} `))).toEqual([]);
    }
    expect(query).toEqual(expect.arrayContaining(ingester));
  });

  it.each(APPS)(
    '%s: every package is one that runs in production, in the version of the lock file',
    (app) => {
      const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
        packages: Record<string, { version: string; dev?: boolean }>;
      };
      const locked = Object.entries(lock.packages)
        .filter(([, { dev }]) => dev !== true)
        .map(([path, { version }]) => `${path.split('node_modules/').at(-1) ?? ''} ${version}`);
      for (const one of packagesIn(app)) expect(locked).toContain(one.split(' ').slice(0, 2).join(' '));
    },
  );

  it('runs without writing a file: a poll is answered, and both applications exit with 0 on SIGTERM', async () => {
    for (const app of APPS) {
      const env = { ...stack.envOf(), NODE_ENV: 'production' };
      apps.push(new AppProcess('--experimental-permission', env, READING_ONLY, bare.file(app)));
    }
    const [ingester, query] = apps;
    if (ingester === undefined || query === undefined) throw new Error('nothing was started');
    await ingester.logged('started');
    const { grpcPort } = await query.logged('started');
    const client = new Client(`127.0.0.1:${String(grpcPort)}`, credentials.createInsecure());
    const recording = allRecordings().find(({ name }) => name === 'success');
    if (recording === undefined) throw new Error('the recording is not there');
    stack.armada.replay(recording);
    for (const jobId of Object.keys(recording.states)) {
      expect((await pollCalmly(client, recording, jobId)).state).toBe('SUCCEEDED');
    }
    client.close();
    const { http: address } = await query.logged('health and metrics are served');
    const served = `http://${String(address)}`;
    const jobIds = Object.keys(recording.states);
    const answer = await fetch(`${served}/v1/job/status`, {
      method: 'POST',
      body: JSON.stringify({ jobIds }),
    });
    const states = Object.fromEntries(jobIds.map((jobId) => [jobId, JobState.SUCCEEDED]));
    expect(await answer.json()).toEqual({ jobStates: states });
    for (const part of ['openapi.json', 'docs', 'docs/swagger-ui.css', 'docs/swagger-ui-bundle.js']) {
      expect([part, (await fetch(`${served}/${part}`)).status]).toEqual([part, 200]);
    }
    for (const app of apps) {
      const { http } = await app.logged('health and metrics are served');
      await patiently('it is ready', async () => (await fetch(`http://${String(http)}/readyz`)).ok);
      app.signal('SIGTERM');
    }
    for (const app of apps) expect(await app.ended()).toBe(0);
  }, 180_000);

  it('runs on the Node of the images: a poll is answered, and both applications exit with 0 on SIGTERM', async () => {
    const node = nodeOfTheImages();
    const [ingester, query] = APPS.map(
      (app) => new AppProcess('main.js', stack.envOf(), [], bare.file(app), node),
    );
    if (ingester === undefined || query === undefined) throw new Error('nothing was started');
    apps.push(ingester, query);
    await ingester.logged('started');
    const { grpcPort } = await query.logged('started');
    const client = new Client(`127.0.0.1:${String(grpcPort)}`, credentials.createInsecure());
    const recording = allRecordings().find(({ name }) => name === 'success');
    if (recording === undefined) throw new Error('the recording is not there');
    for (const jobId of Object.keys(recording.states)) {
      expect((await pollCalmly(client, recording, jobId)).state).toBe('SUCCEEDED');
    }
    client.close();
    for (const app of [ingester, query]) {
      app.signal('SIGTERM');
      expect(await app.ended()).toBe(0);
    }
  }, 180_000);

  it.each(APPS)(
    '%s: the image holds nothing else, runs without privileges, and has a health check',
    (app) => {
      const last = imageOf(app);
      expect(last.match(/^COPY .*$/gm)).toEqual([`COPY --from=build /src/dist/apps/${app} .`]);
      expect(last).toMatch(/^USER 65532:65532$/m);
      expect(last).toContain('/healthz');
      const flags = ['--enable-source-maps', '--max-semi-space-size=32'];
      expect(entrypointOf(app)).toEqual(['/nodejs/bin/node', ...flags, 'main.js']);
      expect(last).toContain(`/nodejs${NODE_OF_THE_IMAGES.split('.')[0]}-`);
    },
  );

  it.each([...APPS, 'fake-armada'])(
    '%s: compose runs it with a read-only file system and without privileges',
    (app) => {
      const { services } = parse(readFileSync(join(ROOT, 'docker/compose.yaml'), 'utf8'), {
        merge: true,
      }) as {
        services: Record<string, object>;
      };
      expect(services[app]).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    },
  );
});
