import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '@ajs/testing';
import type { App } from '../patched-build.js';
import { ROOT } from '../root.js';

/** Of the release line that the images have. */
export const NODE_OF_THE_IMAGES = '26.10.0';

/** Installed from the registry of npm once, and kept in the user's cache. */
export function nodeOfTheImages(): string {
  const folder = cacheFolder(`node-${NODE_OF_THE_IMAGES}`);
  const node = join(folder, 'node_modules/node/bin/node');
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  const packages = ['--prefix', folder, '--no-audit', '--no-fund', `node@${NODE_OF_THE_IMAGES}`];
  execFileSync('npm', ['install', ...packages], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  return node;
}

/** The last stage of a Dockerfile: what the image is. */
export function imageOf(app: App): string {
  const dockerfile = readFileSync(join(ROOT, `docker/${app}.Dockerfile`), 'utf8');
  return dockerfile.slice(dockerfile.lastIndexOf('FROM '));
}

/** What the image runs: the program, and its arguments. */
export function entrypointOf(app: App): readonly string[] {
  const [, entrypoint = ''] = /^ENTRYPOINT (\[.*\])$/m.exec(imageOf(app)) ?? [];
  return JSON.parse(entrypoint) as string[];
}

/** Copies the files of an image into a folder, away from the packages of this repository; returns where they are. */
export function copyImage(app: App, folder: string): string {
  const image = join(folder, app);
  cpSync(join(ROOT, 'dist/apps', app), image, { recursive: true });
  return image;
}
