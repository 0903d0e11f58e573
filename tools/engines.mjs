// Fails if a package of the lock file does not run on the oldest Node that package.json promises (`engines`): npm only warns.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { minVersion, satisfies } from 'semver';

const { packages } = JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8'));
const oldest = minVersion(packages[''].engines.node);
for (const [path, { engines }] of Object.entries(packages)) {
  if (engines?.node === undefined || satisfies(oldest, engines.node)) continue;
  console.error(`${path} requires Node ${engines.node}, but package.json promises Node ${oldest}`);
  process.exitCode = 1;
}
