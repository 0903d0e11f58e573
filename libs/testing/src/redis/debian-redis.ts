import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../cache-folder.js';

const run = promisify(execFile);

/** The server, which Debian ships under the name of a tool, and the libraries that not every machine has. */
const PACKAGES = ['redis-tools', 'libjemalloc2', 'liblzf1'];

/**
 * Debian's Redis 7, which can do TLS, unpacked into the user's cache: installing it would need root, start a service, and change what all
 * other tests run against.
 */
export async function fromDebian(): Promise<string> {
  const folder = cacheFolder('debian-redis');
  const server = join(folder, 'redis-server');
  if (existsSync(server)) return server;
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}-`);
  try {
    await download(partial);
    for (const name of await readdir(partial)) await run('dpkg-deb', ['-x', join(partial, name), partial]);
    const [libraries] = (await readdir(join(partial, 'usr/lib'))).filter((name) =>
      name.endsWith('-linux-gnu'),
    );
    // It looks at its name to know what it is.
    await symlink('redis-check-rdb', join(partial, 'usr/bin/redis-server'));
    const start = [
      '#!/bin/sh',
      `export LD_LIBRARY_PATH='${join(folder, 'usr/lib', libraries ?? '')}'`,
      `exec '${join(folder, 'usr/bin/redis-server')}' "$@"`,
    ];
    await writeFile(join(partial, 'redis-server'), `${start.join('\n')}\n`);
    await chmod(join(partial, 'redis-server'), 0o755);
    // Another process may have done the same meanwhile.
    await rename(partial, folder).catch((error: unknown) => {
      if (!existsSync(server)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return server;
}

async function download(folder: string): Promise<void> {
  const fetch = () => run('apt-get', ['download', '-q', ...PACKAGES], { cwd: folder });
  try {
    await fetch();
  } catch {
    // A fresh machine does not know of any package yet.
    await run('apt-get', ['update', '-q']);
    await fetch();
  }
}
