// npm run bench: installs packages, builds, and measures. Arguments: --only polls|jobs-api|security|pass-through|throughput|latency|scale|hands|bytes, --quick.
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,bench']) !== 0) process.exit(1);
process.chdir(root);
await import(`${root}dist/bench/main.js`);
