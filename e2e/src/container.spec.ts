import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@ajs/testing';
import { AppProcess } from './app-process.js';
import { Container, RESIDENT_PART } from './container/container.js';
import { peakRssBytes } from './process-figures.js';
import { Schedule } from './soak/schedule.js';
import { Stack } from './stack.js';

const MIB = 2 ** 20;
/** The limit that the charts set by default. */
const MEMORY_BYTES = 512 * MIB;
const EVENTS_PER_SECOND = 2_000;
const POLLS_PER_SECOND = 3_000;
/** Half a minute of the load on a machine that keeps up. */
const POLLS = 90_000;

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
      const env = { ...stack.envOf(), ARMADA_URL: String(listening) };
      const [ingester, query] = (['ingester', 'query'] as const).map((name) => {
        const container = new Container(name, env, MEMORY_BYTES);
        containers.push(container);
        return container;
      });
      await ingester?.app.logged('started');
      const started = await query?.app.logged('started');
      const target = `127.0.0.1:${String(started?.['grpcPort'])}`;
      const pollers = role('soak-pollers', `${POLLS_PER_SECOND}`, target);
      await eventually(
        `${POLLS} polls are answered`,
        () => {
          const ended = [...containers.map(({ app }) => app), ...load].find(({ exit }) => exit !== undefined);
          if (ended !== undefined)
            throw new Error(`a process has ended with ${ended.exit}: ${ended.lastLines}`);
          const counts = pollers.logs.findLast(({ msg }) => msg === 'polls');
          return Number(counts?.['polls']) - Number(counts?.['errors']) >= POLLS;
        },
        180_000,
      );
      for (const { app } of containers)
        expect(peakRssBytes(app.pid)).toBeLessThan(MEMORY_BYTES * RESIDENT_PART);
    } finally {
      for (const process of load) await process.kill();
      for (const container of containers) await container.kill();
      await stack.stop();
    }
  },
  240_000,
);

it.concurrent(
  'the soak runs both applications as their images do',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'armada-job-service-soak-'));
    const report = join(folder, 'report.md');
    const briefly = ['--minutes', '0.1', '--events', '10', '--polls', '10', '--report', report];
    const soak = new AppProcess('dist/e2e/main.js', {}, ['soak', '--container-mib', '512', ...briefly]);
    try {
      await soak.ended(120_000);
      // Whether all is flat cannot be told so soon.
      expect(soak.output).toContain(`see ${report}`);
      expect(readFileSync(report, 'utf8')).toContain('512 MiB');
    } finally {
      await soak.kill();
      rmSync(folder, { recursive: true });
    }
  },
  150_000,
);
