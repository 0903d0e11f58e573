import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { debianProgram, missingPackages } from './debian-packages.js';

const PACKAGE = 'chromium-headless-shell';

/**
 * The path of Chromium: from the PATH, else from the user's cache, else Debian's, downloaded into it. Rejects with what to install where
 * none is available.
 */
export async function chromiumBinary(): Promise<string> {
  const installed = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => [PACKAGE, 'chromium'].map((name) => join(folder, name)))
    .find((path) => existsSync(path));
  if (installed !== undefined) return installed;
  try {
    return await debianProgram({
      name: 'debian-chromium',
      packages: () => missingPackages(PACKAGE),
      program: () => Promise.resolve(`usr/lib/chromium/${PACKAGE}`),
    });
  } catch (error) {
    throw new Error(
      `no Chromium to start (${(error as Error).message}). Install it (Debian: apt-get install ${PACKAGE})`,
      { cause: error },
    );
  }
}
