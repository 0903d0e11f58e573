import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { TemporaryFolder, eventually, goProgram, jobEvents } from '@ajs/testing';
import { patiently } from './patiently.js';
import { Stack, poll, type RunningQuery } from './stack.js';
import { ROOT } from './root.js';

const GUIDE = readFileSync(join(ROOT, 'docs/api-v2.md'), 'utf8');
/** The jobs of the guide. */
const KEY = { queue: 'team-a', jobSetId: 'nightly' };
const JOB = { namespace: 'team-a', annotations: {} };
const RUNNING = '01m85vrgp7d5kx8s2qcy4n6b1a';
const SUCCEEDED = '01m85vrgp7h3mz9t7rfw0p8e5c';
/** Go and Python download and build what they need the first time. */
const INSTALL_MS = 900_000;
const RUN_MS = 50_000;

/** A command for a shell, and what the guide says that it prints. */
interface Example {
  readonly command: string;
  readonly output: string;
}

/** The commands of the guide, in their order. The block behind one, if it is JSON or text, is what it prints. */
const EXAMPLES: Example[] = Array.from(
  GUIDE.matchAll(/```sh\n([\s\S]*?)```(?:\n+```(?:json|text)\n([\s\S]*?)```)?/g),
  ([, command = '', output = '']) => ({ command, output }),
);
/** Every block whose first line names its file. */
const FILES = Array.from(
  GUIDE.matchAll(/```\w+\n(?:#|\/\/) (\S+\.\w+)\n([\s\S]*?)```/g),
  ([, name = '', text = '']) => ({ name, text }),
);

let stack: Stack;
let query: RunningQuery;
let folder: TemporaryFolder;
let path: string;

beforeAll(async () => {
  const grpcurl = goProgram({
    name: 'grpcurl',
    path: 'github.com/fullstorydev/grpcurl/cmd/grpcurl',
    version: 'v1.9.4',
  });
  const python = execFileSync(process.execPath, ['e2e/python/grpc-tools.mjs'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const bin = join(ROOT, 'node_modules/.bin');
  path = [dirname(grpcurl), dirname(python), bin, process.env['PATH']].join(delimiter);
  stack = await Stack.start();
  [query] = await Promise.all([stack.query(), stack.ingester()]);
  const log = stack.armada.state.openLog(KEY.queue, KEY.jobSetId);
  for (const jobId of [RUNNING, SUCCEEDED]) {
    const ref = { ...KEY, jobId };
    log.append([...jobEvents.submitted(ref, JOB), ...jobEvents.leased(ref), ...jobEvents.pending(ref, JOB)]);
    log.append(jobEvents.running(ref, JOB));
  }
  log.append(jobEvents.succeeded({ ...KEY, jobId: SUCCEEDED }));
  await patiently(
    'the jobs are known',
    async () => (await poll(query.client, KEY, SUCCEEDED)).state === 'SUCCEEDED',
  );
  folder = new TemporaryFolder('examples');
  for (const name of ['node_modules', 'proto']) symlinkSync(join(ROOT, name), folder.file(name));
  for (const { name, text } of FILES) writeFileSync(folder.file(name), here(text));
}, INSTALL_MS);
afterAll(async () => {
  folder.remove();
  await stack.stop();
});

/** With the addresses of this query in place of the guide's. */
const here = (text: string): string =>
  text.replaceAll('localhost:60003', query.grpc).replaceAll('http://localhost:8090', query.http);

/** What is another one each time: times, positions in a stream and the tokens made of them, names of replicas. */
const comparable = (text: string): string =>
  text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/"(cursor|owner)": ?"[^"]+"/g, '"$1":"OTHER"')
    .replaceAll(/^id: \S+$/gm, 'id: TOKEN')
    .trim();

/** The text as JSON has it, so that white space does not count. */
const parsed = (text: string): unknown => {
  const shown = comparable(text);
  return shown.startsWith('{') ? JSON.parse(shown) : shown;
};

/** What a command prints until it ends. One that prints text may never end: then until it has printed as many lines as are expected. */
async function run({ command, output }: Example): Promise<string> {
  const env = { ...process.env, PATH: path, PYTHONDONTWRITEBYTECODE: '1' };
  const shell = spawn('sh', ['-c', `exec 2>&1; ${here(command)}`], { cwd: folder.path, env, detached: true });
  let printed = '';
  let hasEnded = false;
  shell.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  shell.on('close', () => (hasEnded = true));
  const lines = (): string[] => printed.split('\n');
  const expected = output === '' || output.startsWith('{') ? Infinity : output.split('\n').length;
  const isDone = (): boolean => hasEnded || lines().length >= expected;
  try {
    await eventually('it has ended or printed what it should', isDone, RUN_MS);
  } finally {
    if (shell.exitCode === null && shell.pid !== undefined) process.kill(-shell.pid);
  }
  return shell.exitCode === null ? lines().slice(0, expected).join('\n') : printed;
}

it('the guide has examples in grpcurl, curl, Python and TypeScript', () => {
  const programs = EXAMPLES.map(({ command }) => command.split(' ')[0]);
  expect(programs).toEqual(expect.arrayContaining(['grpcurl', 'curl', 'python', 'protoc', 'esbuild']));
  expect(FILES.map(({ name }) => name)).toEqual(['wait.py', 'watch.ts']);
});

it.each(EXAMPLES)('$command prints what the guide shows', async (example) => {
  expect(parsed(await run(example))).toEqual(parsed(example.output));
});

it('the TypeScript of the guide has no type errors', () => {
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--types', 'node', '--target', 'es2023'];
  const modules = ['--module', 'esnext', '--moduleResolution', 'bundler'];
  const check = (): string =>
    execFileSync('tsc', [...options, ...modules, 'watch.ts'], {
      cwd: folder.path,
      encoding: 'utf8',
      env: { ...process.env, PATH: path },
    });
  expect(check).not.toThrow();
});
