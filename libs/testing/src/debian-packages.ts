import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache-folder.js';

const run = promisify(execFile);

export interface DebianProgram {
  /** Of its folder in the user's cache. */
  readonly name: string;
  /** Resolves to the packages: the program, and the libraries that not every machine has. */
  readonly packages: () => Promise<readonly string[]>;
  /** Where the program is, once the packages are unpacked in this folder: relative to it. */
  readonly program: (unpacked: string) => Promise<string>;
}

/**
 * A program of Debian's packages, unpacked into the user's cache: installing them would need root, and change what else runs on the machine.
 * Resolves to a script that starts it.
 */
export async function debianProgram({ name, packages, program }: DebianProgram): Promise<string> {
  const folder = cacheFolder(name);
  const start = join(folder, 'start');
  if (existsSync(start)) return start;
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}-`);
  try {
    await withPackageLists(async () => {
      await run('apt-get', ['download', '-q', ...(await packages())], { cwd: partial });
    });
    for (const file of await readdir(partial)) {
      await run('dpkg-deb', ['-x', file, '.'], { cwd: partial });
      await rm(join(partial, file));
    }
    const executable = join(folder, await program(partial));
    const lines = [
      '#!/bin/sh',
      `export LD_LIBRARY_PATH='${(await librariesIn(partial)).map((path) => join(folder, path)).join(':')}'`,
      `exec '${executable}' "$@"`,
    ];
    await writeFile(join(partial, 'start'), `${lines.join('\n')}\n`);
    await chmod(join(partial, 'start'), 0o755);
    // Another process may have done the same meanwhile.
    await rename(partial, folder).catch((error: unknown) => {
      if (!existsSync(start)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return start;
}

/** The packages that an installation of this one would add to the machine. */
export async function missingPackages(name: string): Promise<string[]> {
  const { stdout } = await run('apt-get', [
    '--print-uris',
    '-qq',
    'install',
    '--no-install-recommends',
    name,
  ]);
  // 'ADDRESS' FILE SIZE HASH, and a file is NAME_VERSION_ARCHITECTURE.deb.
  return Array.from(stdout.matchAll(/^'\S+' ([^\s_]+)_/gm), ([, each = '']) => each);
}

/** A fresh machine does not know of any package yet; one that has been up for long knows of versions that are gone. */
async function withPackageLists(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch {
    await run('apt-get', ['update', '-q']);
    await work();
  }
}

/** Folders with libraries: those of the machine's architecture, and packages' own below them. */
async function librariesIn(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'usr/lib'), { recursive: true, withFileTypes: true });
  const parents = names.filter(({ name }) => /\.so(?:\.|$)/.test(name)).map(({ parentPath }) => parentPath);
  return Array.from(new Set(parents), (parent) => parent.slice(folder.length + 1));
}
