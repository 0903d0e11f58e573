// Bundles one application: PROJECT/src/main.ts and our own libs into dist/PROJECT/main.js. Packages stay outside.
import { readFileSync, writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const project = process.argv[2];
if (project === undefined) throw new Error('usage: node tools/build.mjs PROJECT_FOLDER');
const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist', project);
rmSync(outdir, { recursive: true, force: true });
const result = await build({
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
  metafile: true,
  logLevel: 'warning',
});

// What the bundle imports from packages, with the versions of the lock file: an image installs exactly this.
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const imported = new Set(
  Object.values(result.metafile.outputs)
    .flatMap((output) => output.imports)
    .filter((imported) => imported.external && !imported.path.startsWith('node:'))
    .map(({ path }) =>
      path
        .split('/')
        .slice(0, path.startsWith('@') ? 2 : 1)
        .join('/'),
    ),
);
// Nest loads its HTTP adapter, and asks for its peers, without an import that a bundler sees.
if (imported.has('@nestjs/core')) for (const name of ['@nestjs/platform-express', 'rxjs']) imported.add(name);
const used = Object.fromEntries(Object.entries(dependencies).filter(([name]) => imported.has(name)));
writeFileSync(
  join(outdir, 'package.json'),
  JSON.stringify(
    { name: project.replaceAll('/', '-'), private: true, type: 'module', dependencies: used },
    null,
    2,
  ),
);
