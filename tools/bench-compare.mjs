// Measures another commit beside this checkout: builds it in a worktree of its own, runs the same benchmarks in turns, so that both meet
// the same noise, and prints how this one compares with it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BUILD = ['nx', 'run-many', '-t', 'build', '-p', 'ingester,query,bench'];

/** `args` are those of the benchmarks. */
export function compare({ root, revision, rounds, args }) {
  const folder = mkdtempSync(join(tmpdir(), 'armada-job-service-bench-'));
  const git = (...command) =>
    execFileSync('git', command, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  // Ctrl-C ends what runs now; this process goes on, and cleans up.
  process.once('SIGINT', () => process.exit(1));
  git('worktree', 'add', '--detach', folder, revision);
  try {
    prepare(root, folder);
    const measured = new Map();
    for (let round = 0; round < rounds; round++) {
      // Whoever comes second finds a warmer machine.
      const order = round % 2 === 0 ? [folder, root] : [root, folder];
      const [first, second] = order.map((checkout) => figuresOf(checkout, args));
      const [before, now] = round % 2 === 0 ? [first, second] : [second, first];
      for (const [what, value] of now) {
        if (!before.has(what)) continue;
        const pairs = measured.get(what) ?? [];
        measured.set(what, [...pairs, { before: before.get(what), now: value }]);
      }
      console.error(`round ${round + 1} of ${rounds} done`);
    }
    console.log(table(measured, revision));
  } finally {
    git('worktree', 'remove', '--force', folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Packages are the same where the lock file is. */
function prepare(root, folder) {
  const [ours, theirs] = [root, folder].map((checkout) =>
    readFileSync(join(checkout, 'package-lock.json'), 'utf8'),
  );
  if (ours === theirs) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  else execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
  const env = { ...process.env, NX_DAEMON: 'false' };
  execFileSync('npx', BUILD, { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** What a benchmark measures first of each thing, by what it is: the benchmarks print it in the second column of their table. */
function figuresOf(checkout, args) {
  const output = execFileSync(process.execPath, ['dist/bench/main.js', ...args], {
    cwd: checkout,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const figures = new Map();
  for (const [, what, measured] of output.matchAll(/^\| (.+?) \| (.+?) \|/gm)) {
    const number = /\d[\d,]*(?:\.\d+)?/.exec(measured)?.[0];
    if (number !== undefined) figures.set(what, Number(number.replaceAll(',', '')));
  }
  return figures;
}

function table(measured, revision) {
  const rows = Array.from(measured, ([what, pairs]) => {
    const ratios = pairs.map(({ before, now }) => now / before).sort((a, b) => a - b);
    const spread = `${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)}`;
    const of = (name) => median(pairs.map((pair) => pair[name])).toLocaleString('en-US');
    return `| ${what} | ${of('before')} | ${of('now')} | ${median(ratios).toFixed(2)} | ${spread} |`;
  });
  return [`| what | ${revision} | here | ratio | of each round |`, '|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
