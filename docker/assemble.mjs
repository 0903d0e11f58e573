// node docker/assemble.mjs APP FOLDER: everything that a built application needs to run, and nothing else: its bundle and the
// packages that it imports, exactly as the lock file has them. The images hold this; the tests start the applications from it.
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProjectGraphAsync } from '@nx/devkit';
import { createLockFile } from '@nx/js';

const [app, folder] = process.argv.slice(2);
if (app === undefined || folder === undefined) {
  console.error('usage: node docker/assemble.mjs APP FOLDER');
  process.exit(2);
}
const built = join(import.meta.dirname, '../dist/apps', app);
rmSync(folder, { recursive: true, force: true });
cpSync(built, folder, { recursive: true });
const dependencies = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const lockFile = createLockFile(dependencies, await createProjectGraphAsync(), 'npm');
writeFileSync(join(folder, 'package-lock.json'), lockFile);
const args = ['ci', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];
const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' });
process.exitCode = status ?? 1;
