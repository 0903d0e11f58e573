// Installs the packages of the lock file before anything needs them. Uses Node's own modules only: nothing else may be there yet.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Ends the process if this Node is too old or the packages cannot be installed. */
export function ensureInstalled() {
  requireNode();
  // A worktree may link to the packages of another checkout, which npm ci would delete.
  if (lstatSync(`${root}node_modules`, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const lock = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
  const stamp = `${root}node_modules/.installed-lock-sha256`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.log('Installing packages (npm ci); this can take a minute ...');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund'];
  const { status, stdout, stderr, error } = npm?.endsWith('.js')
    ? run(process.execPath, [npm, ...args])
    : run('npm', args);
  if (status !== 0) {
    // npm warns about much that concerns nobody here: its output is of use only when it failed.
    console.error(`npm ci failed:\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

/** Runs Nx and returns its exit code. Shows its output only if it fails, unless `verbose`. */
export function runNx(args, { verbose = false } = {}) {
  const { bin } = JSON.parse(readFileSync(`${root}node_modules/nx/package.json`, 'utf8'));
  const nx = `${root}node_modules/nx/${bin.nx}`;
  const { status, stdout, stderr } = run(process.execPath, [nx, ...args], {
    env: { ...process.env, NX_DAEMON: 'false', CI: '1' },
    stdio: verbose ? 'inherit' : 'pipe',
  });
  if (!verbose && status !== 0) process.stderr.write(`${stdout}${stderr}`);
  return status ?? 1;
}

function requireNode() {
  const { engines } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const [major, minor] = engines.node.match(/\d+/g).map(Number);
  const [ourMajor, ourMinor] = process.versions.node.split('.').map(Number);
  if (ourMajor > major || (ourMajor === major && ourMinor >= minor)) return;
  console.error(
    `Node ${major}.${minor} or later is required; this is Node ${process.versions.node}. Install a newer Node.`,
  );
  process.exit(1);
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options });
}
