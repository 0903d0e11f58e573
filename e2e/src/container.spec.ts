import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { TemporaryFolder, eventually } from '@ajs/testing';
import { AppProcess } from './app-process.js';
import { Container, RESIDENT_PART } from './container/container.js';
import { groupsOf } from './container/memory-limit.js';
import { patiently } from './patiently.js';
import { childrenOf, isAlive, peakRssBytes } from './process-figures.js';
import { Schedule } from './soak/schedule.js';
import { Stack } from './stack.js';

const MIB = 2 ** 20;
/** The limit that the charts set by default. */
const MEMORY_BYTES = 512 * MIB;
const EVENTS_PER_SECOND = 2_000;
const POLLS_PER_SECOND = 3_000;
/** Half a minute of the load on a machine that keeps up; another one may take so long. */
const POLLS = 90_000;
const LONGEST_LOAD_MS = 120_000;
/** On any machine. */
const LEAST_POLLS = 10_000;

it.concurrent(
  'in a container of 512 MiB both applications stay below 350 MiB under load',
  async () => {
    const stack = await Stack.start();
    const containers: Container[] = [];
    const load: AppProcess[] = [];
    try {
      const schedule = new Schedule(Date.now(), EVENTS_PER_SECOND);
      const role = (name: string, ...args: string[]): AppProcess => {
        const process = new AppProcess('dist/e2e/main.js', {}, [
          name,
          `${schedule.beganAt}`,
          `${EVENTS_PER_SECOND}`,
          ...args,
        ]);
        load.push(process);
        return process;
      };
      const { listening } = await role('soak-armada').logged('listening');
      const env = { ...stack.envOf(), ARMADA_URL: String(listening), FIRST_POLL_WAIT: '2s' };
      const [ingester, query] = (['ingester', 'query'] as const).map((name) => {
        const container = new Container(name, env, MEMORY_BYTES);
        containers.push(container);
        return container;
      });
      await ingester?.app.logged('started');
      const started = await query?.app.logged('started');
      const target = `127.0.0.1:${String(started?.['grpcPort'])}`;
      const pollers = role('soak-pollers', `${POLLS_PER_SECOND}`, target);
      const ended = (): string[] =>
        [...containers.map(({ app }) => app), ...load].flatMap(({ exit, lastLines }) =>
          exit === undefined ? [] : [`${exit}: ${lastLines}`],
        );
      const answered = (): number => {
        const counts = pollers.logs.findLast(({ msg }) => msg === 'polls');
        return Number(counts?.['polls'] ?? 0) - Number(counts?.['errors'] ?? 0);
      };
      const beganAt = performance.now();
      const isOver = (): boolean => answered() >= POLLS || performance.now() > beganAt + LONGEST_LOAD_MS;
      await eventually('the load is over', () => ended().length > 0 || isOver(), 2 * LONGEST_LOAD_MS);
      expect(ended()).toEqual([]);
      expect(answered()).toBeGreaterThan(LEAST_POLLS);
      for (const { app } of containers)
        expect(peakRssBytes(app.pid)).toBeLessThan(MEMORY_BYTES * RESIDENT_PART);
    } finally {
      for (const process of load) await process.kill();
      for (const container of containers) await container.kill();
      await stack.stop();
    }
  },
  300_000,
);

it.concurrent(
  'the soak runs both applications as their images do',
  async () => {
    const folder = new TemporaryFolder('soak');
    const report = folder.file('report.md');
    const briefly = ['--minutes', '0.1', '--events', '10', '--polls', '10', '--report', report];
    const soak = new AppProcess('dist/e2e/main.js', {}, ['soak', '--container-mib', '512', ...briefly]);
    try {
      await soak.ended(120_000);
      // Whether all is flat does not show so soon.
      expect(soak.output).toContain(`see ${report}`);
      expect(readFileSync(report, 'utf8')).toContain('512 MiB');
    } finally {
      await soak.kill();
      folder.remove();
    }
  },
  150_000,
);

it.concurrent(
  'a soak that is killed leaves no process, no control group and no files',
  async () => {
    const folder = new TemporaryFolder('soak');
    const temporary = folder.file('tmp');
    mkdirSync(temporary);
    const briefly = [
      '--minutes',
      '5',
      '--events',
      '10',
      '--polls',
      '10',
      '--report',
      folder.file('report.md'),
    ];
    const args = ['soak', '--container-mib', '512', ...briefly];
    const soak = new AppProcess('dist/e2e/main.js', { TMPDIR: temporary }, args);
    try {
      // Redis, Armada, four applications, the pollers, and whoever cleans up.
      await eventually('all of it runs', () => childrenOf(soak.pid).length === 8, 120_000);
      const children = childrenOf(soak.pid);
      expect(readdirSync(temporary)).toHaveLength(5);
      await soak.kill();
      await patiently('nothing is left', () => {
        const files = [...groupsOf(soak.pid), ...readdirSync(temporary)];
        return files.length === 0 && !children.some(isAlive);
      });
    } finally {
      await soak.kill();
      folder.remove();
    }
  },
  150_000,
);
