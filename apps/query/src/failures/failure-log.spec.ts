import { JobId } from '@ajs/job-state';
import { QueryMetrics, createLog } from '@ajs/observability';
import { ManualClock } from '@ajs/testing';
import { FailureLog } from './failure-log.js';

describe('the failure log', () => {
  let clock: ManualClock;
  let lines: { level: string; msg: string }[];
  let metrics: QueryMetrics;
  let failures: FailureLog;

  beforeEach(() => {
    clock = new ManualClock();
    lines = [];
    metrics = new QueryMetrics();
    const log = createLog('query', 'info', {
      write: (line) => lines.push(JSON.parse(line) as (typeof lines)[0]),
    });
    failures = new FailureLog(log, metrics, clock);
  });

  const countOf = async (name: 'internalErrors' | 'unreadableRecords'): Promise<number | undefined> =>
    (await metrics[name].get()).values[0]?.value;

  it('counts every internal error, and logs the same one once a minute', async () => {
    for (const ms of [0, 1, 59_998]) {
      clock.advance(ms);
      failures.internalError(new TypeError('x is not a function'));
    }
    expect(lines).toMatchObject([{ level: 'error', err: { message: 'x is not a function' } }]);
    failures.internalError(new TypeError('y is not a function'));
    expect(lines).toHaveLength(2);
    clock.advance(1);
    expect(lines[2]).toMatchObject({ level: 'error', err: { message: 'x is not a function' }, repeated: 2 });
    expect(await countOf('internalErrors')).toBe(4);
  });

  it('counts every request for an unreadable record, and logs a reason once a minute, whatever the job', async () => {
    failures.unreadableRecord(JobId('a'), 'state number 13');
    failures.unreadableRecord(JobId('b'), 'state number 13');
    expect(lines).toMatchObject([{ level: 'warn', jobId: 'a', reason: 'state number 13' }]);
    failures.unreadableRecord(JobId('c'), 'state number 14');
    expect(lines).toHaveLength(2);
    expect(await countOf('unreadableRecords')).toBe(3);
  });
});
