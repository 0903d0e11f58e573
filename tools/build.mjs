// Bundles one application: PROJECT/src/main.ts and our own libs into dist/PROJECT/main.js. Packages are not bundled.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const project = process.argv[2];
if (project === undefined) throw new Error('usage: node tools/build.mjs PROJECT_FOLDER');
const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist', project);
rmSync(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: [join(project, 'src/main.ts')],
  outdir,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  loader: { '.lua': 'text' },
  tsconfig: 'tsconfig.base.json',
  logLevel: 'warning',
});
