// Bundles one application: PROJECT/src/main.ts and our own libs into dist/PROJECT/main.js and what that loads. Packages are not bundled: package.json
// beside it names those that it imports.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const project = process.argv[2];
if (project === undefined) throw new Error('usage: node tools/build.mjs PROJECT_FOLDER');
const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist', project);
rmSync(outdir, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(project, 'src/main.ts')],
  outdir,
  bundle: true,
  // What main.ts imports at run time stays in a file of its own.
  splitting: true,
  chunkNames: '[name]',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  metafile: true,
  loader: { '.lua': 'text' },
  tsconfig: 'tsconfig.base.json',
  logLevel: 'warning',
});

const workspace = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const imported = Object.values(metafile.outputs)
  .flatMap(({ imports }) => imports.filter(({ external }) => external).map(({ path }) => path))
  .filter((path) => !isBuiltin(path))
  // `@scope/name/file` and `name/file` are of the packages `@scope/name` and `name`.
  .map((path) => path.match(/^(?:@[^/]+\/)?[^/]+/)[0]);
writeFileSync(
  join(outdir, 'package.json'),
  JSON.stringify({
    name: `${workspace.name}-${basename(project)}`,
    version: workspace.version,
    license: workspace.license,
    private: true,
    type: workspace.type,
    engines: workspace.engines,
    dependencies: Object.fromEntries([...new Set(imported)].sort().map((name) => [name, versionOf(name)])),
    overrides: workspace.overrides,
  }),
);

function versionOf(name) {
  const version = workspace.dependencies[name] ?? workspace.devDependencies[name];
  if (version === undefined) throw new Error(`${project} imports ${name}, which package.json does not list`);
  return version;
}
