import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { allRecordings } from '@ajs/testing';
import { Stack } from './stack.js';
import { ROOT } from './root.js';

const TEST_MS = 300_000;

let stack: Stack;
beforeAll(async () => {
  // Shorter than the deadline of the clients' calls.
  stack = await Stack.start({ FIRST_POLL_WAIT: '5s' });
  stack.armada.state.queues.add('python');
  await stack.ingester();
}, 120_000);
afterAll(() => stack.stop());

it(
  'the older Python clients are served (reports/junit has each test)',
  async () => {
    for (const recording of allRecordings()) stack.armada.replay(recording);
    const { grpc } = await stack.query();
    await runPython('older', {
      QUERY_ADDRESS: grpc,
      ARMADA_ADDRESS: stack.armadaAddress,
      RECORDINGS: join(ROOT, 'libs/testing/fixtures/armada-recordings'),
    });
  },
  TEST_MS,
);

it(
  'the newer Python client is served with the query as its only target (reports/junit has each test)',
  async () => {
    const { grpc } = await stack.query({ PASS_THROUGH: 'on' });
    await runPython('newer', { QUERY_ADDRESS: grpc });
  },
  TEST_MS,
);

async function runPython(client: 'older' | 'newer', env: Readonly<Record<string, string>>): Promise<void> {
  const tests = spawn(process.execPath, ['e2e/python/run.mjs', client], {
    cwd: ROOT,
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [tests.stdout, tests.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(tests, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the Python tests ended with ${code}:\n${output}`);
}
