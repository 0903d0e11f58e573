// Makes sure that node_modules is what the lock file says. Uses Node's own modules only: nothing else may be there yet.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LEAST_NODE = [20, 11];

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs `npm ci` where the packages were never installed, or for another lock file. Ends the process if it fails. */
export function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    console.error(`Node ${LEAST_NODE.join('.')} or later is needed; this is ${process.versions.node}`);
    process.exit(1);
  }
  const lock = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
  const stamp = `${root}node_modules/.installed-lock-sha256`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.log('installing packages (npm ci) ...');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund'];
  const options = { cwd: root, stdio: 'inherit' };
  const { status } = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, options);
  if (status !== 0) {
    console.error('npm ci failed: the packages could not be installed, see above');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

/** Runs Nx and gives its exit code. Output only where something fails, unless `verbose`. */
export function runNx(args, { verbose = false } = {}) {
  const { bin } = JSON.parse(readFileSync(`${root}node_modules/nx/package.json`, 'utf8'));
  const nx = `${root}node_modules/nx/${bin.nx}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, [nx, ...args], {
    cwd: root,
    env: { ...process.env, NX_DAEMON: 'false', CI: '1' },
    stdio: verbose ? 'inherit' : 'pipe',
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (!verbose && status !== 0) process.stderr.write(`${stdout}${stderr}`);
  return status ?? 1;
}
