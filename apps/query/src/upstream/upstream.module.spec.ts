import { jest } from '@jest/globals';
import { createLog } from '@ajs/observability';
import type { EventLagProbe } from './event-lag-probe.js';
import { UpstreamModule } from './upstream.module.js';

describe('the search for events that lag', () => {
  let rounds: { readonly resolve: () => void; readonly reject: (error: Error) => void }[];
  let lines: unknown[];
  let module: UpstreamModule;

  beforeEach(() => {
    jest.useFakeTimers();
    [rounds, lines] = [[], []];
    const run = (): Promise<void> => new Promise((resolve, reject) => rounds.push({ resolve, reject }));
    const log = createLog('query', 'info', { write: (line) => lines.push(JSON.parse(line)) });
    module = new UpstreamModule({ run } as unknown as EventLagProbe, log);
    module.onApplicationBootstrap();
  });
  afterEach(() => {
    module.onModuleDestroy();
    jest.useRealTimers();
  });

  it('has a round every 5 s, and none while the one before is under way', async () => {
    await jest.advanceTimersByTimeAsync(4_999);
    expect(rounds).toHaveLength(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(rounds).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(20_000);
    expect(rounds).toHaveLength(1);
    rounds[0]?.resolve();
    await jest.advanceTimersByTimeAsync(5_000);
    expect(rounds).toHaveLength(2);
    expect(lines).toEqual([]);
  });

  it('goes on after a round that failed, which is logged as a defect', async () => {
    await jest.advanceTimersByTimeAsync(5_000);
    rounds[0]?.reject(new TypeError('undefined is not a function'));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(rounds).toHaveLength(2);
    expect(lines).toMatchObject([
      {
        level: 'error',
        err: { message: 'undefined is not a function' },
        msg: "comparing polled jobs with Armada's api.Jobs failed; this is likely a defect of this service",
      },
    ]);
  });

  it('ends with the process', async () => {
    module.onModuleDestroy();
    await jest.advanceTimersByTimeAsync(20_000);
    expect(rounds).toHaveLength(0);
  });
});
