// node tools/settings-table.mjs [--check]: writes the table in docs/settings.md from libs/config, or checks that it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const file = join(root, 'docs/settings.md');

// libs/config is TypeScript: bundled in memory, so that no build has to run before.
const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ['libs/config/src/describe-settings.ts'],
  bundle: true,
  write: false,
  platform: 'node',
  format: 'esm',
});
const code = Buffer.from(outputFiles[0].contents).toString('base64');
const { settingsTable } = await import(`data:text/javascript;base64,${code}`);

const current = readFileSync(file, 'utf8');
const next = current.replace(
  /(<!-- prettier-ignore-start -->\n)[\s\S]*(\n<!-- prettier-ignore-end -->)/,
  (_, before, after) => `${before}\n${settingsTable()}\n${after}`,
);

if (!process.argv.includes('--check')) writeFileSync(file, next);
else if (current !== next) {
  console.error('docs/settings.md does not match libs/config/src/settings.ts. Run: npm run generate');
  process.exitCode = 1;
}
