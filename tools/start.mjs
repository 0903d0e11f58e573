// npm start: installs packages, builds, and runs everything on this machine. Uses Node's own modules only until then.
import { buildIfChanged } from './build-if-changed.mjs';
import { ensureInstalled, root, runNx } from './install.mjs';

const OUTPUTS = ['apps/ingester', 'apps/query', 'tools/fake-armada', 'tools/start'].map(
  (project) => `dist/${project}/main.js`,
);

ensureInstalled();
const isBuilt = buildIfChanged(root, OUTPUTS, () => {
  console.log('Building ...');
  return runNx(['run-many', '-t', 'build', '-p', 'ingester,query,fake-armada,start-tool']) === 0;
});
if (!isBuilt) process.exit(1);
process.chdir(root);
await import(`${root}dist/tools/start/main.js`);
