import { execFile } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { RedisServer, TemporaryFolder } from '@ajs/testing';
import { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { Stack } from './stack.js';

let stack: Stack;
let folder: TemporaryFolder;
const apps: AppProcess[] = [];
let files = 0;

beforeAll(async () => {
  stack = await Stack.start();
  folder = new TemporaryFolder('output');
}, 120_000);
afterAll(async () => {
  await Promise.all(apps.map((app) => app.kill()));
  await stack.stop();
  folder.remove();
});

const bundleOf = (name: string): string => `dist/apps/${name}/main.js`;

function run(script: string, env: Readonly<Record<string, string>> = {}): AppProcess {
  const app = new AppProcess(script, stack.envOf(env));
  apps.push(app);
  return app;
}

/** Code that runs in the process before the application, as a package of it might. */
function withCode(code: string): Readonly<Record<string, string>> {
  const file = folder.file(`${files++}.mjs`);
  writeFileSync(file, code);
  return { NODE_OPTIONS: `--import ${file}` };
}

/** Every line of both streams is one of the log. */
function expectOnlyLog({ output, logs }: AppProcess): void {
  expect(output).toBe('');
  for (const line of logs) {
    expect(line).toMatchObject({
      level: expect.stringMatching(/^(trace|debug|info|warn|error|fatal)$/) as string,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      msg: expect.stringMatching(/./) as string,
    });
  }
}

/** Waits for a line whose text holds this. */
const told = (app: AppProcess, text: string) =>
  patiently(`a line says "${text}"`, () => app.logs.find(({ msg }) => msg.includes(text)));

// Each starts a process of its own, and waits for it.
describe.each(['query', 'ingester'])('all that the %s prints is lines of its log', (name) => {
  it.concurrent(
    'where settings are invalid: one line for each, and exit code 2',
    async () => {
      const app = run(bundleOf(name), { REDIS_URL: 'http://x', LOG_LEVEL: 'loud' });
      expect(await app.ended()).toBe(2);
      expectOnlyLog(app);
      expect(app.logs.map(({ level }) => level)).toEqual(['fatal', 'fatal']);
    },
    180_000,
  );

  it.concurrent(
    'where a file of its own is missing, which it names',
    async () => {
      const alone = folder.file(name);
      const whole = join(bundleOf(name), '..');
      cpSync(whole, alone, { recursive: true, filter: (path) => !basename(path).startsWith('app-') });
      const app = run(join(alone, 'main.js'));
      expect(await app.ended()).toBe(1);
      expectOnlyLog(app);
      expect(app.logs).toMatchObject([
        {
          level: 'fatal',
          msg: expect.stringMatching(
            /Cannot find module '.*app-\w+\.js'.*; its files are incomplete: install it again$/,
          ) as string,
        },
      ]);
    },
    180_000,
  );

  it.concurrent(
    'where it may open too few files, which it says instead of what it could not load',
    async () => {
      const [stdout, code] = await new Promise<[string, unknown]>((resolve) => {
        const command = ['-c', 'ulimit -n 256; exec "$0" "$@"', process.execPath, bundleOf(name)];
        execFile('sh', command, { env: stack.envOf() }, (error, out, err) =>
          resolve([out + err, error?.code]),
        );
      });
      expect(code).toBe(1);
      expect(stdout.trim().split('\n')).toHaveLength(1);
      expect(JSON.parse(stdout)).toMatchObject({
        level: 'fatal',
        app: name,
        msg: expect.stringContaining('the limit of open files (nofile) is 256') as string,
      });
    },
    180_000,
  );

  it.concurrent(
    'where it cannot listen',
    async () => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const { port } = taken.address() as AddressInfo;
      const app = run(bundleOf(name), { [`${name.toUpperCase()}_HTTP_ADDRESS`]: `127.0.0.1:${port}` });
      expect(await app.ended()).toBe(1);
      taken.close();
      expectOnlyLog(app);
      await told(app, 'could not start');
    },
    180_000,
  );

  it.concurrent.each([
    ['a cluster', 'redis-cluster://127.0.0.1:1,127.0.0.1:2'],
    ['sentinels', 'redis-sentinel://127.0.0.1:1,127.0.0.1:2/main'],
  ])(
    'while neither Redis nor Armada answers, with all that gRPC traces: %s',
    async (_, REDIS_URL) => {
      const traces = { LOG_LEVEL: 'debug', GRPC_VERBOSITY: 'DEBUG', GRPC_TRACE: 'all' };
      const env = { REDIS_URL, ARMADA_URL: '127.0.0.1:1', ...traces };
      const app = run(bundleOf(name), env);
      await app.logged('started');
      app.signal('SIGTERM');
      expect(await app.ended()).toBe(0);
      expectOnlyLog(app);
    },
    180_000,
  );

  it.concurrent(
    'where Redis rejects the password',
    async () => {
      const redis = await RedisServer.start(['--requirepass', 'right']);
      try {
        const app = run(bundleOf(name), { REDIS_URL: redis.url.replace('//', '//:wrong@') });
        await app.logged('started');
        expectOnlyLog(app);
        expect(JSON.stringify(app.logs)).toContain('WRONGPASS');
      } finally {
        await redis.stop();
      }
    },
    180_000,
  );

  it.concurrent(
    'where Redis goes away',
    async () => {
      const redis = await RedisServer.start();
      const app = run(bundleOf(name), { REDIS_URL: redis.url });
      await app.logged('connected to Redis');
      await redis.stop();
      await app.logged('Redis is unavailable; reconnecting');
      app.signal('SIGTERM');
      expect(await app.ended()).toBe(0);
      expectOnlyLog(app);
    },
    180_000,
  );

  it.concurrent(
    'where packages print and warn, again and again, which is counted',
    async () => {
      const code = `
      for (let i = 0; i < 50; i++) {
        console.error('[package] Unhandled error event:', 'one\\ntwo');
        console.log('a word');
        process.emitWarning('this is outdated', 'DeprecationWarning');
      }
      setImmediate(() => console.log('enough'));`;
      const app = run(bundleOf(name), withCode(`process.once('SIGCONT', () => { ${code} });`));
      await app.logged('started');
      app.signal('SIGCONT');
      await app.logged('enough');
      expectOnlyLog(app);
      const texts = [
        '[package] Unhandled error event: one\ntwo',
        'a word',
        'DeprecationWarning: this is outdated',
      ];
      expect(app.logs.filter(({ msg }) => texts.includes(msg))).toMatchObject([
        { level: 'warn', stream: 'stderr', msg: texts[0] },
        { level: 'info', stream: 'stdout', msg: texts[1] },
        { level: 'warn', msg: texts[2] },
      ]);
    },
    180_000,
  );

  it.concurrent.each([
    ['an error that nobody catches', "throw new Error('a defect')"],
    ['a rejection that nobody handles', "void Promise.reject(new Error('a defect'))"],
    ['a rejection that is no error', "void Promise.reject('a defect')"],
  ])(
    'when %s ends it with exit code 1',
    async (_, code) => {
      const app = run(bundleOf(name), withCode(`process.once('SIGCONT', () => { ${code}; });`));
      await app.logged('started');
      app.signal('SIGCONT');
      expect(await app.ended()).toBe(1);
      expectOnlyLog(app);
      expect(app.logs.at(-1)).toMatchObject({
        level: 'fatal',
        msg: expect.stringContaining('a defect') as string,
      });
    },
    180_000,
  );
});
