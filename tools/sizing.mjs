// npm run sizing -- --job-sets N --jobs-per-second N --polls-per-second N ...: installs packages, builds, and calculates what an
// installation needs.
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
if (runNx(['run', 'sizing:build']) !== 0) process.exit(1);
await import(`${root}dist/tools/sizing/main.js`);
