import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache-folder.js';

export interface GoProgram {
  readonly name: string;
  /** Of its main package. */
  readonly path: string;
  readonly version: string;
}

/**
 * The path of a program of one version, built from its source on the Go module proxy once and kept in the user's cache. Throws with what is
 * needed where that fails.
 */
export function goProgram({ name, path, version }: GoProgram): string {
  const folder = cacheFolder(`${name}-${version}`);
  const binary = join(folder, name);
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('go', ['install', `${path}@${version}`], {
      env: { ...process.env, GOBIN: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (error) {
    throw new Error(
      `${name} ${version} could not be built; it needs Go on the PATH and the Go module proxy`,
      { cause: error },
    );
  }
  return binary;
}
