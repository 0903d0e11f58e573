// Runs the tests of the real Python clients in a virtual environment of their own, made where it is missing. Ends with pytest's
// exit code. The addresses come from the environment: QUERY_ADDRESS, ARMADA_ADDRESS.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { virtualEnvironment } from './virtual-environment.mjs';

const here = import.meta.dirname;
const root = join(here, '../..');
const python = virtualEnvironment('job-service', [
  ['-r', join(here, 'requirements.txt')],
  ['--no-deps', '-r', join(here, 'requirements-no-deps.txt')],
]);
const args = [
  '-m',
  'pytest',
  '-q',
  '-p',
  'no:cacheprovider',
  `--junitxml=${join(root, 'reports/junit/python.xml')}`,
  here,
];
const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
process.exitCode = spawnSync(python, args, { cwd: here, stdio: 'inherit', env }).status ?? 1;
