import { jest } from '@jest/globals';
import { IngesterMetrics } from '@ajs/observability';
import type { RedisErrorLog } from '@ajs/runtime';
import type { JobSetWorker, ReadBudget, WatchBudget, WorkQueue } from '@ajs/subscriptions';
import type { EventLagLog } from './event-lag-log.js';
import { GaugesModule } from './gauges.module.js';

let metrics: IngesterMetrics;
let errors: string[];

beforeEach(() => {
  metrics = new IngesterMetrics();
  errors = [];
  jest.useFakeTimers();
});
afterEach(() => jest.useRealTimers());

/** A replica that works on so much. */
function gauges(countDelayed: () => Promise<number>): GaugesModule {
  return new GaugesModule(
    { size: 5 } as JobSetWorker,
    { jobSets: 2, maxLagMs: 9_500 } as EventLagLog,
    { size: 3 } as WatchBudget,
    { backlog: 7 } as ReadBudget,
    { countDelayed } as WorkQueue,
    metrics,
    { report: ({ message }: Error) => errors.push(message) } as unknown as RedisErrorLog,
  );
}

async function values(): Promise<unknown[]> {
  const all = await Promise.all(
    [
      metrics.watches,
      metrics.assignments,
      metrics.jobSetsBehindApiJobs,
      metrics.eventsBehindApiJobs,
      metrics.upstreamReadsWaiting,
      metrics.jobSetsAwaitingRead,
    ].map((gauge) => gauge.get()),
  );
  return all.map(({ values: [first] }) => first?.value);
}

describe('the gauges of an ingester', () => {
  it('show every 5 s how much it works on, until it stops', async () => {
    let delayed = 11;
    const module = gauges(() => Promise.resolve(delayed));
    module.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(4_999);
    expect(await values()).toEqual([0, 0, 0, 0, 0, 0]);
    await jest.advanceTimersByTimeAsync(1);
    expect(await values()).toEqual([3, 5, 2, 9.5, 7, 11]);
    module.onModuleDestroy();
    delayed = 0;
    await jest.advanceTimersByTimeAsync(60_000);
    expect((await values()).at(-1)).toBe(11);
  });

  it('report what keeps them from the work queue', async () => {
    const module = gauges(() => Promise.reject(new Error('Connection is closed.')));
    module.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(5_000);
    module.onModuleDestroy();
    expect(errors).toEqual(['Connection is closed.']);
    expect(await values()).toEqual([3, 5, 2, 9.5, 7, 0]);
  });
});
