// npm start: installs what is missing, builds, and runs the whole thing. Node's own modules only until all is installed.
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
console.log('building ...');
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,fake-armada,start-tool']) !== 0) process.exit(1);
process.chdir(root);
await import(`${root}dist/tools/start/main.js`);
