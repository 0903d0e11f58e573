// node e2e/python/run.mjs older|newer: runs the tests of the real Python clients in a virtual environment of their own, made where
// it is missing. Ends with pytest's exit code. The stack's addresses come from the environment; e2e/src/python.spec.ts starts one
// and passes them on.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pythonOf } from './environment.mjs';

const QUERY_ADDRESS = "host:port of the query's gRPC";
const NEEDED = {
  older: {
    QUERY_ADDRESS,
    ARMADA_ADDRESS: 'host:port of the fake Armada, with the queue "python" and every recording replayed',
    RECORDINGS: 'the folder of these recordings',
  },
  newer: { QUERY_ADDRESS: `${QUERY_ADDRESS}, with PASS_THROUGH=on; the fake Armada has the queue "python"` },
};
const [client] = process.argv.slice(2);
const needed = NEEDED[client];
if (needed === undefined) {
  console.error(`"${client ?? ''}" is no client; there are: ${Object.keys(NEEDED).join(', ')}`);
  process.exit(2);
}
const missing = Object.entries(needed).filter(([name]) => !process.env[name]);
if (missing.length > 0) {
  console.error('the environment does not say where the stack is:');
  for (const [name, meaning] of missing) console.error(`  ${name}: ${meaning}`);
  console.error('npx nx run e2e:test starts a stack and runs these tests against it');
  process.exit(2);
}

const root = join(import.meta.dirname, '../..');
const folder = join(import.meta.dirname, client);
const python = pythonOf(client);
const args = [
  '-m',
  'pytest',
  '-q',
  '-p',
  'no:cacheprovider',
  `--junitxml=${join(root, `reports/junit/python-${client}.xml`)}`,
  folder,
];
const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
const { status, signal, error } = spawnSync(python, args, { cwd: folder, stdio: 'inherit', env });
if (status === null) console.error(`pytest did not end by itself: ${error?.message ?? signal}`);
process.exitCode = status ?? 1;
