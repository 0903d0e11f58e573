// Bundles one application: PROJECT/src/main.ts with our own libraries and all packages into dist/PROJECT, which is all that it needs to
// run. One file instead of a thousand starts three times as fast.
import { cpSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { readFile } from 'node:fs/promises';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build } from 'esbuild';
import { licencesOf } from './bundled-licences.mjs';

/** Files that packages read at run time, beside their own code: they are copied. */
const READ_AT_RUN_TIME = {
  'grpc-health-check': ['proto'],
  '@grpc/reflection': ['build/proto'],
  'swagger-ui-dist': ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'],
};
/** Packages use these where they are installed; we do not need them. */
const OPTIONAL = [
  '@nestjs/microservices',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
  'supports-color',
];
/** What CommonJS packages find in each of their files. */
const COMMONJS = [
  "import { createRequire as __createRequire } from 'node:module';",
  'const require = __createRequire(import.meta.url);',
  'const __filename = import.meta.filename;',
  'const __dirname = import.meta.dirname;',
].join('\n');

const project = process.argv[2];
if (project === undefined) throw new Error('usage: node tools/build.mjs PROJECT_FOLDER');
const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist', project);
rmSync(outdir, { recursive: true, force: true });

/** A package, wherever its link leads. */
const packageFolder = (name) => realpathSync(join(root, 'node_modules', name));
/** Where the files of a package are, seen from the bundle. */
const filesOf = (name) => join('packages', name);

const packages = {
  name: 'packages',
  setup({ onLoad }) {
    const names = Object.keys(READ_AT_RUN_TIME).join('|');
    onLoad({ filter: new RegExp(`node_modules/(${names})/.*\\.js$`) }, async ({ path }) => ({
      contents: withItsFolder(path, await readFile(path, 'utf8')),
    }));
  },
};

/** A file of a package that reads others finds them where they are copied to. */
function withItsFolder(path, source) {
  for (const name of Object.keys(READ_AT_RUN_TIME)) {
    const from = relative(packageFolder(name), dirname(path));
    if (from.startsWith('..') || from.includes('node_modules')) continue;
    const folder = JSON.stringify(sep + join(filesOf(name), from));
    return source.replaceAll('__dirname', `(__dirname + ${folder})`);
  }
  return source;
}

const { metafile, outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: [join(project, 'src/main.ts')],
  outdir,
  bundle: true,
  // What main.ts imports at run time stays in a file of its own.
  splitting: true,
  chunkNames: '[name]-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  banner: { js: COMMONJS },
  external: OPTIONAL.flatMap((name) => [name, `${name}/*`]),
  plugins: [packages],
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  write: false,
  legalComments: 'none',
  loader: { '.lua': 'text' },
  tsconfig: 'tsconfig.base.json',
  logLevel: 'warning',
});

mkdirSync(outdir, { recursive: true });
for (const { path, text } of outputFiles) {
  writeFileSync(path, path.endsWith('.map') ? linesOfOurs(text) : inAscii(text));
}

/** The folders of the packages in the bundle. */
const bundled = new Set(
  Object.keys(metafile.inputs).flatMap((input) => {
    const [folder] = input.match(/.*node_modules\/(?:@[^/]+\/)?[^/]+/) ?? [];
    return folder === undefined ? [] : [join(root, folder)];
  }),
);
for (const [name, files] of Object.entries(READ_AT_RUN_TIME)) {
  if (!bundled.has(packageFolder(name))) continue;
  for (const file of files) {
    const to = join(outdir, filesOf(name), file);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(packageFolder(name), file), to, { recursive: true });
  }
}
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
writeFileSync(
  join(outdir, 'package.json'),
  `${JSON.stringify({ name: `armada-job-service-${basename(project)}`, version, private: true, type: 'module' })}\n`,
);
writeFileSync(join(outdir, 'LICENCES.txt'), licencesOf(bundled));

/**
 * V8 keeps a source text at two bytes per character if one of them is beyond Latin-1. esbuild escapes such characters in code: what is left
 * is in comments of packages.
 */
function inAscii(text) {
  return text.replace(/[^\0-\x7f]/g, '?');
}

/**
 * Node reads the source maps at each start, and keeps every mapping as an object: the lines of our own code are enough, which is a tenth of
 * the bundle.
 */
function linesOfOurs(text) {
  const map = JSON.parse(text);
  const isOwn = map.sources.map((source) => !source.includes('node_modules/'));
  const lines = decode(map.mappings).map((line) => {
    const first = line.find(([, source]) => source === undefined || isOwn[source]);
    return first === undefined ? [] : [first.slice(0, 4)];
  });
  const sources = map.sources.map((source, i) => (isOwn[i] ? source : ''));
  return JSON.stringify({ ...map, sources, names: [], mappings: encode(lines) });
}
