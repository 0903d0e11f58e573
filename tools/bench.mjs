// npm run bench [-- --only NAME] [--quick]: installs packages, builds, and measures. With --compare REVISION [--rounds N] it measures that
// commit as well, in turns, and prints ratios.
import { parseArgs } from 'node:util';
import { compare } from './bench-compare.mjs';
import { ensureInstalled, root, runNx } from './install.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    compare: { type: 'string' },
    rounds: { type: 'string', default: '3' },
  },
});
ensureInstalled();
if (runNx(['run-many', '-t', 'build', '-p', 'ingester,query,bench']) !== 0) process.exit(1);
process.chdir(root);
if (values.compare === undefined) await import(`${root}dist/bench/main.js`);
else {
  const args = [
    ...(values.only === undefined ? [] : ['--only', values.only]),
    ...(values.quick ? ['--quick'] : []),
  ];
  compare({ root, revision: values.compare, rounds: Number(values.rounds), args });
}
