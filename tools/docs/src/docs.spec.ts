import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
const README_BYTES = 10_240;

const FOLDERS = ['apps', 'bench', 'docs', 'e2e', 'libs', 'proto', 'tools'];

const files = [
  ...readdirSync(ROOT),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  ),
].filter((file) => !/(?:^|\/)\./.test(file));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const pages = files.filter((file) => /^(?:docs\/.*|[^/]*)\.md$/.test(file));

describe('the documentation', () => {
  it(`has a README of at most ${README_BYTES} bytes`, () => {
    expect(Buffer.byteLength(read('README.md'))).toBeLessThanOrEqual(README_BYTES);
  });

  it.each(pages)('has no broken link in %s', (page) => {
    const broken = linksOf(read(page)).filter((link) => !resolves(page, link));
    expect(broken).toEqual([]);
  });

  it.each(pages.filter((page) => !/adr|CHANGELOG/.test(page)))('names no missing file in %s', (page) => {
    const named = [...read(page).matchAll(/`((?:apps|bench|e2e|libs|proto|tools)\/[\w./-]+)`/g)];
    const missing = named.map(([, file = '']) => file).filter((file) => !existsSync(join(ROOT, file)));
    expect(missing).toEqual([]);
  });
});

describe('docs/invariants.md', () => {
  const text = read('docs/invariants.md');
  const defined = [...text.matchAll(/^## (P\d+): /gm)].map(([, number]) => number);
  const unwrapped = text.replace(/\n {2}(?=\S)/g, ' ');
  const proofs = [...unwrapped.matchAll(/^- `([^`]+\.ts)`: (.+)$/gm)].map(([, file = '', title = '']) => ({
    file,
    title,
  }));

  it('defines every invariant once, in order', () => {
    expect(defined).toEqual(defined.map((_, i) => `P${i + 1}`));
  });

  it('defines every invariant that code, tests and documents cite', () => {
    const sources = files.filter((file) => /\.(?:ts|lua|mjs|py|md)$/.test(file));
    const cited = sources.flatMap((file) =>
      [...read(file).matchAll(/\bP\d{1,2}\b/g)].map(([number]) => number),
    );
    expect([...new Set(cited)].filter((number) => !defined.includes(number))).toEqual([]);
  });

  it('names a test for every invariant', () => {
    const sections = text.split(/^## P\d+: /m).slice(1);
    expect(sections.filter((section) => !/^- `[^`]+\.ts`: /m.test(section))).toEqual([]);
  });

  it.each(proofs)('names a test that exists: $title', ({ file, title }) => {
    const spec = existsSync(join(ROOT, file)) ? read(file) : `no file ${file}`;
    for (const part of title.split(' › ')) expect(spec).toContain(part);
  });
});

/** The targets of the links of a page that lead to files of the repository. */
function linksOf(text: string): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function resolves(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || anchorsOf(read(file)).includes(anchor);
}

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-'),
  );
}
