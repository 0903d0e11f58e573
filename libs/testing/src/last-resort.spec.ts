import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { eventually } from './eventually.js';

const SCRIPT = `
import { lastResort } from './last-resort.mjs';
const [, , folder] = process.argv;
lastResort('touch', folder + "/the last one's");
lastResort('touch', folder + '/first');
lastResort('touch', folder + '/called off')();
lastResort('false');
setInterval(() => undefined, 60_000);
console.log('ready');
`;

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'last-resort-'));
  const { code } = await transform(readFileSync(join(import.meta.dirname, 'last-resort.ts'), 'utf8'), {
    loader: 'ts',
  });
  writeFileSync(join(folder, 'last-resort.mjs'), code);
  writeFileSync(join(folder, 'script.mjs'), SCRIPT);
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
  'what is left to the last resort is done after %s, the latest first, whatever fails, and without what was called off',
  async (signal) => {
    const child = spawn(process.execPath, [join(folder, 'script.mjs'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill(signal);
    await eventually('the last one is done', () => existsSync(join(folder, "the last one's")));
    expect(['first', 'called off'].map((name) => existsSync(join(folder, name)))).toEqual([true, false]);
  },
);
