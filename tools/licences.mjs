// node tools/licences.mjs [--check]: writes docs/licences.md, the licence of every package that runs in production, or checks that it
// is up to date. Fails if a licence is not known to be permissive.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Each allows use, modification and distribution if its text and the names of the authors are kept. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
]);

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
  'The packages that run in production with our own code (Apache-2.0), by licence. `npm run licences` writes this page from',
  '`package-lock.json`, and `npm test` checks it. The images contain each package with the text of its licence.\n',
  ...sections,
].join('\n');

if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error('docs/licences.md does not match package-lock.json. Run: npm run licences');
  process.exit(1);
}

/** Old packages declare their licence in a form that the lock file lacks. */
function licenceInside(path) {
  const { license, licenses } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  return license ?? licenses?.map(({ type }) => type).join(' AND ') ?? 'none';
}

/** `(A AND B)`: both apply. `A OR B` would need a choice, so it counts as an unknown licence. */
function partsOf(licence) {
  return licence.replace(/^\((.*)\)$/, '$1').split(' AND ');
}
