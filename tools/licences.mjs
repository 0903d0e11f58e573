// node tools/licences.mjs [--check]: writes docs/licences.md, the licence of every package that runs in production, or checks that it
// is up to date. Fails where one is not known to be permissive.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Each allows use, change and distribution for no more than its text and the names of the authors. */
const PERMISSIVE = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']);

const root = join(import.meta.dirname, '..');
const file = join(root, 'docs/licences.md');
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

const byLicence = new Map();
for (const [path, { dev, devOptional, version, license }] of Object.entries(packages)) {
  if (path === '' || dev || devOptional) continue;
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const licence = license ?? licenceInside(path);
  const listed = byLicence.get(licence) ?? new Set();
  byLicence.set(licence, listed.add(`- \`${name}\` ${version}`));
}

const unknown = [...byLicence].filter(([licence]) => !partsOf(licence).every((part) => PERMISSIVE.has(part)));
if (unknown.length > 0) {
  console.error('These licences are not known to be permissive (tools/licences.mjs):');
  for (const [licence, names] of unknown) console.error(`${licence}:\n${[...names].join('\n')}`);
  process.exit(1);
}

const sections = [...byLicence]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([licence, names]) => `## ${licence}\n\n${[...names].sort().join('\n')}\n`);
const text = [
  '# Licences\n',
  'What runs in production beside our own code (Apache-2.0), by licence. `npm run licences` makes this page from `package-lock.json`; a',
  "test compares. The images hold each package whole, with its licence's text.\n",
  ...sections,
].join('\n');

if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error('docs/licences.md is not what package-lock.json says: npm run licences');
  process.exit(1);
}

/** Old packages say it in a way that the lock file does not take. */
function licenceInside(path) {
  const { license, licenses } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  return license ?? licenses?.map(({ type }) => type).join(' AND ') ?? 'none';
}

/** `(A AND B)`: both count. Of `A OR B` it would have to be said which was chosen: it counts as one that is not known. */
function partsOf(licence) {
  return licence.replace(/^\((.*)\)$/, '$1').split(' AND ');
}
