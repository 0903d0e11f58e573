import { AppProcess, type Exit } from '../app-process.js';
import { buildPatched } from '../patched-build.js';
import { PLANTED_BUGS, type BugName } from './planted-bugs.js';

/** A run takes what its plan says, and what a busy machine takes to start and to settle. */
const PATIENCE_MS = 240_000;

/** `npm run chaos`, built: a process of its own, which ends with all that it started. */
async function chaos(...args: readonly string[]): Promise<{ readonly exit: Exit; readonly output: string }> {
  const { PATH: _path, HOME: _home, ...env } = process.env as Readonly<Record<string, string>>;
  const running = new AppProcess('dist/e2e/main.js', env, ['chaos', ...args]);
  const exit = await running.ended(PATIENCE_MS);
  return { exit, output: running.output };
}

it.each([
  ['single', '0.4', '20'],
  ['cluster', '0.3', '21'],
  ['sentinel', '0.3', '22'],
])(
  'a short run through everything keeps every promise; Redis: %s',
  async (redis, minutes, seed) => {
    const { exit, output } = await chaos('--minutes', minutes, '--seed', seed, '--redis', redis);
    expect(output).toContain('every promise was kept');
    expect(exit).toBe(0);
  },
  PATIENCE_MS,
);

describe('a planted bug is found:', () => {
  /** What gives it away, whatever else does: one of these. */
  const FOUND_BY: Readonly<Record<BugName, RegExp>> = {
    'no compare-and-set': /a stale holder wrote \(P3\)|ends that were never told \(P4\)/,
    // What callers were told, or were not: that it was written outside of a script says nothing of the harm.
    'the cursor first': /ends that were never told \(P4\)|claim to be level and are not \(P7\)/,
    // Nobody hears of an end that came in one read with what came after it.
    'the last event wins': /ended jobs that changed \(P1\)|ends that were told too late \(P4\)/,
    'a lost hint without a sweep': /ends that nobody noticed until somebody asked \(P4\)/,
  };

  it.each(Object.keys(PLANTED_BUGS) as BugName[])(
    '%s',
    async (name) => {
      const { patches, faults, seed, minutes } = PLANTED_BUGS[name];
      const plan = ['--minutes', `${minutes}`, '--seed', `${seed}`, '--job-sets', '6'];
      const { exit, output } = await chaos(
        ...plan,
        '--patience-seconds',
        '7',
        '--faults',
        faults.join(','),
        '--ingester',
        await buildPatched('ingester', name, patches),
      );
      expect(output).toMatch(FOUND_BY[name]);
      expect(exit).toBe(1);
    },
    PATIENCE_MS,
  );
});
