import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
import { Stack } from './stack.js';
import { QUEUE, Traffic } from './traffic.js';

const HOUR = 3_600_000;
/** One job set is watched, the others are read on a schedule. */
const SETTINGS = { WATCH_BUDGET: '1', MIN_READ_INTERVAL: '500ms', MAX_READ_INTERVAL: '1s' };

let stack: Stack;

beforeEach(async () => {
  stack = await Stack.start(SETTINGS);
  stack.armada.state.queues.add(QUEUE);
}, 180_000);
afterEach(() => stack.stop());

/** An ingester whose wall clock {@link setClock} sets by so much. */
const ingester = (stepMs: number): Promise<AppProcess> =>
  stack.ingester({
    NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'settable-clock.mjs')).href}`,
    CLOCK_STEP_MS: String(stepMs),
  });

async function setClock(app: AppProcess): Promise<void> {
  app.signal('SIGALRM');
  await patiently('the clock is set', () => app.output.includes('the clock is set'));
}

describe('when the clock of one of two ingesters is set', () => {
  it.each([
    ['back by an hour, all job sets go on, also when the other one stops', -HOUR, 'other'],
    ['forward by an hour, all job sets go on, also when it stops', HOUR, 'set'],
  ] as const)(
    '%s',
    async (_, stepMs, leaving) => {
      const query = await stack.query();
      const apps = { set: await ingester(stepMs), other: await stack.ingester() };
      const traffic = new Traffic(stack, query.client, 4, 4);
      traffic.begin();
      await traffic.look();
      await setClock(apps.set);
      for (let i = 0; i < 4; i++) {
        traffic.move();
        await traffic.look();
      }
      // Dated by the clock of the one and judged by that of the other, what it leaves would wait for an hour.
      apps[leaving].signal('SIGTERM');
      expect(await apps[leaving].ended()).toBe(0);
      await traffic.toTheEnd();
    },
    240_000,
  );
});
