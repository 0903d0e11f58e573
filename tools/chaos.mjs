// npm run chaos: installs packages, builds, and runs the chaos suite. Arguments: --minutes, --seed.
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,e2e']) !== 0) process.exit(1);
process.chdir(root);
process.argv.splice(2, 0, 'chaos');
await import(`${root}dist/e2e/main.js`);
