// npm run compare -- --old HOST:PORT --new HOST:PORT ...: installs packages, builds, and compares what two job services answer.
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
if (runNx(['run', 'compare:build']) !== 0) process.exit(1);
await import(`${root}dist/tools/compare/main.js`);
