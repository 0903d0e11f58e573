import type { App } from '../patched-build.js';
import { buildTomorrow } from '../upgrade/tomorrow.js';
import { Cluster } from './cluster.js';
import { installClients } from './pollers.js';

const TEST_MS = 360_000;
/** How late an event may be in a poll at any time. */
const GAP_MS = 3_000;

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
    const after = async (step: string): Promise<void> => {
      gaps.push([step, await cluster.pulse.gapMs()]);
      await cluster.pollOn();
    };
    try {
      await after('one of each');
      await cluster.scale(replicas);
      await cluster.areAllBusy();
      await after('scaled up');
      for (const app of order) {
        await cluster.pods[app].roll(tomorrow[app]);
        await after(`rolled: ${app}`);
      }
      await cluster.areAllBusy();
      await cluster.scale(1);
      await after('scaled down');
      await cluster.endJobs();
      expect(await cluster.pulse.forgotten()).toEqual([]);
      expect(gaps.filter(([, ms]) => ms > GAP_MS)).toEqual([]);
    } finally {
      await cluster.stop();
    }
  },
  TEST_MS,
);
