// node e2e/python/environment.mjs older|newer: prints the Python that has the clients of one operator, with a virtual environment of their
// own, made where it is missing.
import { join } from 'node:path';
import { virtualEnvironment } from './virtual-environment.mjs';

export function pythonOf(client) {
  const folder = join(import.meta.dirname, client);
  return virtualEnvironment(`python-${client}`, [
    ['-r', join(folder, 'requirements.txt')],
    ['--no-deps', '-r', join(folder, 'requirements-no-deps.txt')],
  ]);
}

if (import.meta.filename === process.argv[1]) console.log(pythonOf(process.argv[2]));
