import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { allRecordings } from '@ajs/testing';
import { Stack } from './stack.js';

const ROOT = join(import.meta.dirname, '../..');

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 30_000);
afterAll(() => stack.stop());

it('the real Python clients are served (their own report tells more)', async () => {
  const [query] = await Promise.all([stack.query(), stack.ingester()]);
  for (const recording of allRecordings()) stack.armada.replay(recording);
  stack.armada.state.queues.add('python');
  const tests = spawn(process.execPath, ['e2e/python/run.mjs'], {
    cwd: ROOT,
    env: {
      ...process.env,
      QUERY_ADDRESS: query.grpc,
      ARMADA_ADDRESS: stack.armadaAddress,
      RECORDINGS: join(ROOT, 'libs/testing/fixtures/armada-recordings'),
    },
  });
  let output = '';
  for (const stream of [tests.stdout, tests.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(tests, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the Python tests ended with ${code}:\n${output}`);
}, 300_000);
