// Whether what a build has made is newer than everything that it was made of. Nx finds the same out, but takes two seconds for it.
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = ['apps', 'libs', 'proto', 'tools', 'package-lock.json', 'tsconfig.base.json', 'nx.json'];

/** Runs `build` unless `outputs` and the mark of their last build are newer than the sources. Returns whether the build succeeded. */
export function buildUnlessCurrent(root, mark, outputs, build) {
  const files = [mark, ...outputs].map((file) => join(root, file));
  // From before the build: what is changed during it is built the next time.
  const begin = new Date();
  if (changedAt(files, Math.min) > newest(SOURCES.map((source) => join(root, source)))) return true;
  if (!build()) return false;
  writeFileSync(files[0], `${begin.toISOString()}\n`);
  return true;
}
