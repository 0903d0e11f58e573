import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/**
 * The Python of a virtual environment below tmp/ in which `pip install` was run with each of these argument lists; made anew when
 * what they name changed. Ends the process, with what to do, where that fails.
 */
export function virtualEnvironment(name, installs, { python = 'python3' } = {}) {
  const folder = join(root, 'tmp/venv', name);
  const binary = join(folder, 'bin/python');
  const stamp = join(folder, '.installed');
  const files = installs.flat().filter((argument) => existsSync(argument));
  const wanted = createHash('sha256')
    .update(JSON.stringify(installs) + files.map((file) => readFileSync(file, 'utf8')).join('\n'))
    .digest('hex');
  // A Python that was upgraded away leaves a dangling link, which does not exist.
  if (existsSync(binary) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return binary;

  rmSync(folder, { recursive: true, force: true });
  run(
    python,
    ['-m', 'venv', folder],
    `${python === 'python3' ? 'Python 3.10 or later' : python} with its venv module is needed ` +
      `(Debian: apt-get install ${python}-venv)`,
  );
  for (const args of installs) {
    const options = ['install', '--quiet', '--disable-pip-version-check', ...args];
    run(binary, ['-m', 'pip', ...options], 'the packages could not be installed from PyPI, see above');
  }
  writeFileSync(stamp, wanted);
  return binary;
}

function run(command, args, help) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (status === 0) return;
  console.error(
    `${command} ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}\n${help}`,
  );
  process.exit(1);
}
