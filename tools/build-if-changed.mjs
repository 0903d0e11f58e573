// Builds what `npm start` runs, unless it is newer than everything that it is made of. Nx finds that out too, but takes two seconds.
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the build of any project reads. */
const SOURCES = ['apps', 'libs', 'proto', 'tools', 'package-lock.json', 'tsconfig.base.json', 'nx.json'];
/** Its time is when the last build began. */
const MARK = 'dist/.built-for-start';

/** Calls `build` unless all `outputs` are there and no source changed since the last build. Returns whether all is built. */
export function buildIfChanged(root, outputs, build) {
  const mark = join(root, MARK);
  const isThere = [mark, ...outputs.map((output) => join(root, output))].every((file) => existsSync(file));
  if (isThere && newest(SOURCES.map((source) => join(root, source))) < statSync(mark).mtimeMs) return true;
  // What changes during the build is newer than the mark, so it is built the next time.
  const began = new Date();
  if (!build()) return false;
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(mark, '');
  utimesSync(mark, began, began);
  return true;
}

/** When the last of these files, or of the files and folders in them, changed. Folders change when something in them is removed. */
function newest(paths) {
  let time = 0;
  for (const path of paths) {
    const stats = statSync(path);
    time = Math.max(time, stats.mtimeMs);
    if (stats.isDirectory()) time = Math.max(time, newest(readdirSync(path).map((name) => join(path, name))));
  }
  return time;
}
