import type { App } from '../patched-build.js';
import { buildTomorrow } from '../upgrade/tomorrow.js';
import { Cluster } from './cluster.js';
import { installClients } from './pollers.js';

const TEST_MS = 600_000;
/** How late an event may be in a poll at any time. */
const GAP_MS = 3_000;
/** A step after which an event came too late is taken again: a machine that is busy holds up one now and then, a defect each time. */
const MOST_TRIES = 3;

const tomorrow = await buildTomorrow('scaling');
const clients = installClients();

// Every client must get an answer to every poll; retries are the operator's own, and another client has none.
it.each<[string, App[], number]>([
  ['queries first', ['query', 'ingester'], 4],
  ['ingesters first', ['ingester', 'query'], 2],
])(
  'scaled up, rolled to another version (%s) and scaled down, the service answers every poll, forgets nothing and is never late',
  async (_, order, replicas) => {
    const cluster = await Cluster.start(clients);
    const gaps: [string, number][] = [];
    const step = async (what: string, take: () => Promise<void>): Promise<void> => {
      const tries: number[] = [];
      do {
        await take();
        tries.push(await cluster.pulse.gapMs());
        await cluster.pollOn();
      } while (Math.min(...tries) > GAP_MS && tries.length < MOST_TRIES);
      gaps.push([what, Math.min(...tries)]);
    };
    try {
      await step('one of each', () => Promise.resolve());
      await step('scaled up', async () => {
        await cluster.scale(1);
        await cluster.scale(replicas);
        await cluster.areAllBusy();
      });
      for (const app of order) await step(`rolled: ${app}`, () => cluster.pods[app].roll(tomorrow[app]));
      await step('scaled down', async () => {
        await cluster.scale(replicas);
        await cluster.areAllBusy();
        await cluster.scale(1);
      });
      await cluster.endJobs();
      expect(await cluster.pulse.forgotten()).toEqual([]);
      expect(gaps.filter(([, ms]) => ms > GAP_MS)).toEqual([]);
    } finally {
      await cluster.stop();
    }
  },
  TEST_MS,
);
