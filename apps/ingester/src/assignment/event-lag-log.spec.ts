import { createLog } from '@ajs/observability';
import { EventLagLog } from './event-lag-log.js';

const key = (jobSetId: string) => ({ queue: 'q', jobSetId });

let lines: object[];
let lag: EventLagLog;

beforeEach(() => {
  lines = [];
  const log = createLog('ingester', 'info', {
    write: (line: string) => lines.push(JSON.parse(line) as object),
  });
  lag = new EventLagLog(log);
});

describe('the log of events that lag behind api.Jobs', () => {
  it('has one warning for all job sets, and one line at the end of it that counts them', () => {
    lag.update(key('a'), 9_000);
    lag.update(key('b'), 40_000);
    lag.update(key('a'), 12_000);
    lag.update(key('a'), 0);
    expect(lines).toMatchObject([{ level: 'warn', ...key('a'), lagSeconds: 9 }]);
    lag.update(key('b'), 0);
    expect(lines).toMatchObject([{ level: 'warn' }, { level: 'info', jobSets: 2 }]);
  });

  it('begins anew after its end', () => {
    for (const lagMs of [9_000, 0, 10_000, 0]) lag.update(key('a'), lagMs);
    expect(lines).toMatchObject([{ lagSeconds: 9 }, { jobSets: 1 }, { lagSeconds: 10 }, { jobSets: 1 }]);
  });

  it('says nothing of a job set whose events have not been behind', () => {
    lag.update(key('a'), 0);
    expect(lines).toEqual([]);
  });

  it('knows how many job sets are behind, and by how much at the most', () => {
    lag.update(key('a'), 40_000);
    lag.update(key('b'), 9_000);
    expect([lag.jobSets, lag.maxLagMs]).toEqual([2, 40_000]);
    lag.update(key('a'), 0);
    expect([lag.jobSets, lag.maxLagMs]).toEqual([1, 9_000]);
    lag.update(key('b'), 0);
    expect([lag.jobSets, lag.maxLagMs]).toEqual([0, 0]);
  });
});
