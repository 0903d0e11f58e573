// npm start: installs packages, builds, and runs everything on this machine. Uses Node's own modules only until then.
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
console.log('Building ...');
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,fake-armada,start-tool']) !== 0) process.exit(1);
process.chdir(root);
await import(`${root}dist/tools/start/main.js`);
