// node docker/assemble.mjs APP FOLDER: everything that a built application needs to run, and nothing else: its bundle, and the
// production dependencies exactly as the lock file has them. The images hold this; the tests start the applications from it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [app, folder] = process.argv.slice(2);
if (app === undefined || folder === undefined) {
  console.error('usage: node docker/assemble.mjs APP FOLDER');
  process.exit(2);
}
const root = join(import.meta.dirname, '..');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const file of ['main.js', 'main.js.map']) cpSync(join(root, 'dist/apps', app, file), join(folder, file));
for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, file), join(folder, file));
const args = ['ci', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];
const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' });
process.exitCode = status ?? 1;
