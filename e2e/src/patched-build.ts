import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { ROOT } from './root.js';

export type App = 'ingester' | 'query';

/** A piece of one file, and what stands there in the bundle instead. */
export interface Patch {
  /** Relative to the workspace. */
  readonly file: string;
  /** Must be in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

/**
 * Bundles an application as tools/build.mjs does, with patches; resolves to the bundle's path. Rejects where a text to replace is not
 * there exactly once, or its file is not in the bundle: a patch cannot silently cease to be applied.
 *
 * @param name tells this build from others of the same application
 */
export async function buildPatched(app: App, name: string, patches: readonly Patch[]): Promise<string> {
  const outdir = join(ROOT, 'tmp/patched', name.replaceAll(' ', '-'), app);
  const applied = new Set<Patch>();
  const plugin: Plugin = {
    name: 'patches',
    setup: (bundling) =>
      bundling.onLoad({ filter: /\.(ts|lua)$/ }, ({ path }) => {
        const ofFile = patches.filter(({ file }) => path === join(ROOT, file));
        if (ofFile.length === 0) return undefined;
        let contents = readFileSync(path, 'utf8');
        for (const patch of ofFile) {
          if (contents.split(patch.from).length !== 2) {
            throw new Error(`${name}: ${patch.file} does not hold "${patch.from}" exactly once`);
          }
          contents = contents.replace(patch.from, () => patch.to);
          applied.add(patch);
        }
        return { contents, loader: path.endsWith('.lua') ? 'text' : 'ts' };
      }),
  };
  await build({
    absWorkingDir: ROOT,
    entryPoints: [`apps/${app}/src/main.ts`],
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: '[name]',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    loader: { '.lua': 'text' },
    tsconfig: 'tsconfig.base.json',
    logLevel: 'silent',
    plugins: [plugin],
  });
  const missing = patches.filter((patch) => !applied.has(patch)).map(({ file }) => file);
  if (missing.length > 0) throw new Error(`${name}: the bundle does not hold ${missing.join(', ')}`);
  return join(outdir, 'main.js');
}
