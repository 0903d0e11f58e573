// npm run kubernetes: installs packages, and gives every object of the charts to a real API server of Kubernetes. The first time it builds that from
// its sources, which takes some ten minutes. Needs Go.
import { spawnSync } from 'node:child_process';
import { ensureInstalled, root } from './install.mjs';

ensureInstalled();
const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', '--runInBand'];
const { status } = spawnSync(
  process.execPath,
  [
    ...jest,
    '--rootDir',
    'deploy',
    '--config',
    'jest.config.mjs',
    '--testMatch',
    '<rootDir>/src/**/*.nightly.ts',
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
