// node tools/reference.mjs [--check]: writes the tables of settings and metrics into docs/, or checks that they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const pages = {
  'docs/settings.md': { source: 'libs/config/src/describe-settings.ts', table: 'settingsTable' },
  'docs/metrics.md': { source: 'libs/observability/src/describe-metrics.ts', table: 'metricsTable' },
};

for (const [page, { source, table }] of Object.entries(pages)) {
  const file = join(root, page);
  const text = await (await load(source))[table]();
  const current = readFileSync(file, 'utf8');
  const next = current.replace(
    /(<!-- prettier-ignore-start -->\n)[\s\S]*(\n<!-- prettier-ignore-end -->)/,
    (_, before, after) => `${before}\n${text}\n${after}`,
  );
  if (!process.argv.includes('--check')) writeFileSync(file, next);
  else if (current !== next) {
    console.error(`${page} does not match ${source}. Run: npm run generate`);
    process.exitCode = 1;
  }
}

/** Loads a TypeScript module, bundled in memory so that no build has to run before. */
async function load(source) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [source],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    // Packages that are CommonJS inside.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(process.cwd() + '/');",
    },
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
