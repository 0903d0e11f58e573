import { AppProcess, type Exit } from '../app-process.js';
import { buildPatched } from '../patched-build.js';
import { PLANTED_BUGS, type BugName, type PlantedBug } from './planted-bugs.js';

/** A run takes as long as its plan says, plus what a busy machine needs to start and to settle. */
const PATIENCE_MS = 240_000;
/** What a run finds depends on what is under way when a fault comes: on a busy machine one may find nothing. */
const MOST_RUNS = 3;

/** `npm run chaos` in a process of its own, which ends everything it started. */
async function chaos(...args: readonly string[]): Promise<{ readonly exit: Exit; readonly output: string }> {
  const { PATH: _path, HOME: _home, ...env } = process.env as Readonly<Record<string, string>>;
  const running = new AppProcess('dist/e2e/main.js', env, ['chaos', ...args]);
  const exit = await running.ended(PATIENCE_MS);
  return { exit, output: running.output };
}

// Each run has a Redis, an Armada and processes of its own, which wait most of the time.
it.concurrent.each([
  ['single', '0.4', '20'],
  ['cluster', '0.3', '21'],
  ['sentinel', '0.3', '22'],
])(
  'all invariants hold through a short run with every fault, with Redis as %s',
  async (redis, minutes, seed) => {
    const { exit, output } = await chaos('--minutes', minutes, '--seed', seed, '--redis', redis);
    expect(output).toContain('all invariants held');
    expect(exit).toBe(0);
  },
  PATIENCE_MS,
);

describe('a short run finds the planted bug', () => {
  /** One of these violations is reported, whatever else is. */
  const FOUND_BY: Readonly<Record<BugName, RegExp>> = {
    'no compare-and-set': /stale owner wrote \(P3\)|terminal state never reported \(P4\)/,
    // By the write itself: what a kill between the two loses is often looked up at Armada before a caller asks.
    'the cursor first': /cursor written without its states \(P2\)/,
    // A terminal state that came in one read with a later event is never seen.
    'the last event wins': /terminal state changed \(P1\)|terminal state reported too late \(P4\)/,
    'a lost work queue without a sweep': /terminal state not in Redis without a poll \(P4\)/,
    'a lost notification that nobody misses': /last state never sent/,
    'a resume that starts one revision late': /last state never sent/,
  };

  it.concurrent.each(Object.keys(PLANTED_BUGS) as BugName[])(
    '%s',
    async (name) => {
      const bug: PlantedBug = PLANTED_BUGS[name];
      const { app, patches, faults, seed, minutes, patienceSeconds = 7 } = bug;
      const plan = ['--minutes', `${minutes}`, '--seed', `${seed}`, '--job-sets', '6'];
      plan.push('--patience-seconds', `${patienceSeconds}`);
      const bundle = await buildPatched(app, name, patches);
      const run = (): Promise<{ readonly exit: Exit; readonly output: string }> =>
        chaos(...plan, '--faults', faults.join(','), `--${app}`, bundle);
      let { exit, output } = await run();
      for (let n = 1; n < MOST_RUNS && !FOUND_BY[name].test(output); n++) ({ exit, output } = await run());
      expect(output).toMatch(FOUND_BY[name]);
      expect(exit).toBe(1);
    },
    MOST_RUNS * PATIENCE_MS,
  );
});
