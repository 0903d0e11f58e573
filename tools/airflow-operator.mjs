// node tools/airflow-operator.mjs [--operator older|newer]: Armada's real Airflow operators against the built applications and a
// fake Armada. Outside of npm test, since it installs Airflow: some minutes the first time. Needs Python 3.11.
//   older (default): armada-airflow 0.5.6 on Airflow 2.9.2, which submits to Armada and polls the query's jobservice.JobService
//   newer: armada-airflow 1.1.3 on Airflow 2.11.2, which uses the query only (PASS_THROUGH=on) and polls its api.Jobs
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { virtualEnvironment } from '../e2e/python/virtual-environment.mjs';
import { ensureInstalled, root, runNx } from './install.mjs';

/** What each needs of Airflow and of the applications; the rest is in the folder. */
const OPERATORS = {
  older: { airflow: {}, apps: {} },
  newer: {
    airflow: {
      AIRFLOW__CORE__DAGS_FOLDER: `${root}e2e/airflow/newer/dags`,
      AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: 'False',
      // How often a running task checks whether it was marked failed. Seconds.
      AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC: '1',
      // The DAGs do not change, so they need not be parsed again.
      AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL: '3600',
      // Silences a warning about metrics that are not used here.
      AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY: 'True',
      // The path of the protos of the fake Armada.
      PYTHONPATH: `${root}proto`,
    },
    apps: { PASS_THROUGH: 'on' },
  },
};

const { values } = parseArgs({ options: { operator: { type: 'string', default: 'older' } } });
const operator = OPERATORS[values.operator];
if (operator === undefined) {
  console.error(
    `--operator is "${values.operator}", but must be one of: ${Object.keys(OPERATORS).join(', ')}`,
  );
  process.exit(2);
}
const folder = `${root}e2e/airflow/${values.operator}`;

ensureInstalled();
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,fake-armada,start-tool']) !== 0) process.exit(1);
const python = virtualEnvironment(`airflow-${values.operator}`, [['-r', `${folder}/requirements.txt`]], {
  python: 'python3.11',
});

const home = `${root}tmp/airflow-home`;
rmSync(home, { recursive: true, force: true });
mkdirSync(home, { recursive: true });
const airflow = {
  ...process.env,
  AIRFLOW_HOME: home,
  AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
  AIRFLOW__CORE__UNIT_TEST_MODE: 'False',
  ...operator.airflow,
};
if (
  spawnSync(python, ['-m', 'airflow', 'db', 'migrate'], {
    env: airflow,
    stdio: ['ignore', 'ignore', 'inherit'],
  }).status !== 0
) {
  console.error("could not create Airflow's database, see above");
  process.exit(1);
}

const running = [];
process.once('exit', () => running.forEach((child) => child.kill('SIGINT')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// Jobs submitted to a fake Armada run by themselves; nothing else happens there, so that its calls can be counted.
const [, armadaAddress] = await start(
  'fake-armada',
  ['--address', '127.0.0.1:0'],
  {},
  /"listening":"([^"]+)"/,
);
const [, query, http] = await start(
  'start',
  ['--armada', armadaAddress, '--queue', 'demo', '--job-set', 'nothing'],
  operator.apps,
  /^query +gRPC (\S+), HTTP (\S+)/,
);
// Not spawnSync: the stack keeps printing, and blocks if its output is not read.
const dags = spawn(python, [`${folder}/run_dags.py`], {
  env: { ...airflow, ARMADA_ADDRESS: armadaAddress, QUERY_ADDRESS: query, QUERY_HTTP: http },
  stdio: 'inherit',
});
running.push(dags);
const [status] = await once(dags, 'exit');
running.pop();
for (const child of running.splice(0).reverse()) {
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  await ended;
}
process.exitCode = status ?? 1;

/** Starts a built tool; gives what `ready` found in the line of its output that says where it listens. */
async function start(tool, args, env, ready) {
  const child = spawn(process.execPath, [`${root}dist/tools/${tool}/main.js`, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const found = ready.exec(line);
    if (found === null) continue;
    child.stdout.resume();
    return found;
  }
  console.error(`${tool} did not start, see above`);
  process.exit(1);
}
