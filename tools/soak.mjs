// npm run soak: installs packages, builds, and runs the soak. Arguments: --minutes, --events, --polls (per second), --report FILE,
// --container-mib N (runs both applications as their images do, each in so much memory).
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,e2e']) !== 0) process.exit(1);
process.chdir(root);
process.argv.splice(2, 0, 'soak');
await import(`${root}dist/e2e/main.js`);
