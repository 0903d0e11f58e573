// node tools/airflow-operator.mjs: Armada's real older Airflow operator (armada-airflow 0.5.6 on Airflow 2.9.2) against the built
// applications and a fake Armada. Outside of npm test, since it installs Airflow: some minutes the first time. Needs Python 3.11.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { virtualEnvironment } from '../e2e/python/virtual-environment.mjs';
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,fake-armada,start-tool']) !== 0) process.exit(1);
const requirements = `${root}e2e/airflow/requirements.txt`;
const python = virtualEnvironment('airflow-operator', [['-r', requirements]], { python: 'python3.11' });

const home = `${root}tmp/airflow-home`;
rmSync(home, { recursive: true, force: true });
mkdirSync(home, { recursive: true });
const airflow = {
  ...process.env,
  AIRFLOW_HOME: home,
  AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
  AIRFLOW__CORE__UNIT_TEST_MODE: 'False',
};
if (
  spawnSync(python, ['-m', 'airflow', 'db', 'migrate'], {
    env: airflow,
    stdio: ['ignore', 'ignore', 'inherit'],
  }).status !== 0
) {
  console.error("Airflow's database could not be made, see above");
  process.exit(1);
}

// The demonstration's stack is all that is needed: jobs submitted to its fake Armada run by themselves.
const stack = spawn(process.execPath, [`${root}dist/tools/start/main.js`], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = once(stack, 'exit');
process.once('exit', () => stack.kill('SIGINT'));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
const addresses = {};
for await (const line of createInterface({ input: stack.stdout })) {
  addresses.ARMADA_ADDRESS ??= /^Armada +(\S+)/.exec(line)?.[1];
  addresses.QUERY_ADDRESS ??= /^query +gRPC (\S+),/.exec(line)?.[1];
  if (addresses.ARMADA_ADDRESS !== undefined && addresses.QUERY_ADDRESS !== undefined) break;
}
stack.stdout.resume();
if (addresses.QUERY_ADDRESS === undefined) {
  console.error('the stack did not start, see above');
  process.exit(1);
}
// Not spawnSync: the stack prints on meanwhile, and stops where nobody reads.
const dags = spawn(python, [`${root}e2e/airflow/run_dags.py`], {
  env: { ...airflow, ...addresses },
  stdio: 'inherit',
});
const [status] = await once(dags, 'exit');
stack.kill('SIGINT');
await ended;
process.exitCode = status ?? 1;
