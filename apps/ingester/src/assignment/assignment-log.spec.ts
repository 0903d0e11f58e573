import { IngesterMetrics, createLog } from '@ajs/observability';
import { loadSettings } from '@ajs/config';
import { Cursor } from '@ajs/job-state';
import { ArmadaMonitor, ProcessModule, RedisModule, RedisConnections } from '@ajs/runtime';
import { Test } from '@nestjs/testing';
import { AssignmentLog } from './assignment-log.js';
import { EventLagLog } from './event-lag-log.js';

const KEY = { queue: 'q', jobSetId: 's' };

let lines: { readonly level: string; readonly msg: string; readonly queue?: string }[];
let metrics: IngesterMetrics;
let assignments: AssignmentLog;
let eventLag: EventLagLog;
/** What was reported to the monitor of Armada. */
let failed: unknown[][];

beforeEach(async () => {
  lines = [];
  failed = [];
  metrics = new IngesterMetrics();
  const log = createLog('ingester', 'info', {
    write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]),
  });
  const settings = loadSettings({ argv: [], env: {} });
  const module = await Test.createTestingModule({
    imports: [ProcessModule.of({ settings, log, metrics }), RedisModule],
    providers: [
      AssignmentLog,
      EventLagLog,
      { provide: ArmadaMonitor, useValue: { streamFailed: (...args: unknown[]) => failed.push(args) } },
    ],
  })
    // Nothing here has a connection.
    .overrideProvider(RedisConnections)
    .useValue({})
    .compile();
  assignments = module.get(AssignmentLog);
  eventLag = module.get(EventLagLog);
});

describe('the log of assignments', () => {
  it('leaves streams that failed to the monitor of Armada, and counts each by its kind', async () => {
    const end = { kind: 'retry', reason: 'connection refused' } as const;
    for (const inARow of [1, 2, 3]) assignments.streamEnded(KEY, end, 100, inARow);
    expect(lines).toEqual([]);
    expect(failed).toEqual([1, 2, 3].map((inARow) => [KEY, 'connection refused', inARow]));
    expect((await metrics.streamEnds.get()).values).toEqual([{ labels: { kind: 'retry' }, value: 3 }]);
  });

  it('has a line where a watch begins and where it ends, and where ownership is lost', async () => {
    assignments.watchStarted(KEY);
    assignments.watchEnded(KEY, 'hand-over');
    assignments.staleWriter(KEY);
    expect(lines).toMatchObject([
      { level: 'info', msg: 'following a job set', ...KEY },
      { level: 'info', msg: 'stopped following a job set', reason: 'hand-over', ...KEY },
      { level: 'warn', msg: 'lost ownership of the job set; reopening', ...KEY },
    ]);
    expect((await metrics.reopenedJobSets.get()).values).toMatchObject([{ value: 1 }]);
  });

  it('counts what is written and how old it was, and batches that were written again', async () => {
    assignments.batchWritten(3, 1_500);
    assignments.batchWritten(2, undefined);
    assignments.reloading();
    const counts = await Promise.all(
      [metrics.eventsApplied, metrics.batchesWritten, metrics.writeConflicts].map((one) => one.get()),
    );
    expect(counts.map(({ values: [first] }) => first?.value)).toEqual([5, 2, 1]);
    const lag = (await metrics.eventLagSeconds.get()).values;
    const sumAndCount = lag.filter(({ metricName }) => /_(sum|count)$/.test(metricName ?? ''));
    expect(sumAndCount.map(({ value }) => value)).toEqual([1.5, 1]);
    expect(lines).toEqual([]);
  });

  it('has events that lag noted, with all job sets whose events do', () => {
    assignments.eventsLag(KEY, 9_000);
    expect([eventLag.jobSets, eventLag.maxLagMs]).toEqual([1, 9_000]);
  });

  it('has one line for a queue that Armada does not know, whatever number of its job sets is polled', () => {
    const end = { kind: 'gone', reason: 'NOT_FOUND: no queue' } as const;
    for (const jobSetId of ['a', 'b']) assignments.streamEnded({ queue: 'q', jobSetId }, end, 100, 1);
    assignments.streamEnded({ queue: 'r', jobSetId: 'a' }, end, 100, 1);
    expect(lines.map(({ level, queue }) => [level, queue])).toEqual([
      ['info', 'q'],
      ['info', 'r'],
    ]);
  });

  it('has an error for each job set with messages that cannot be read, and one when they are skipped', async () => {
    const other = { ...KEY, jobSetId: 'other' };
    const end = { kind: 'unreadable', reason: 'no event' } as const;
    for (const key of [KEY, KEY, other, KEY]) assignments.streamEnded(key, end, 100, 1);
    for (const key of [KEY, KEY, other]) assignments.messageSkipped(key, Cursor('1:0:0:1'), 'no event');
    expect(lines).toMatchObject([
      { level: 'error', ...KEY, reason: 'no event' },
      { level: 'error', ...other, reason: 'no event' },
      { level: 'error', ...KEY, reason: 'no event', after: '1:0:0:1' },
      { level: 'error', ...other, reason: 'no event', after: '1:0:0:1' },
    ]);
    expect((await metrics.skippedMessages.get()).values).toEqual([
      { labels: { kind: 'unreadable' }, value: 3 },
    ]);
  });

  it('has one error for a queue that this service may not watch, which says what to do', () => {
    const end = { kind: 'denied', reason: 'PERMISSION_DENIED: no' } as const;
    for (const jobSetId of ['a', 'b']) assignments.streamEnded({ queue: 'q', jobSetId }, end, 100, 1);
    assignments.streamEnded({ queue: 'r', jobSetId: 'a' }, end, 100, 1);
    const text =
      'Armada does not let this service watch the queue; grant its user watch_all_events, or the verb watch of the queue';
    expect(lines).toMatchObject([
      { level: 'error', queue: 'q', jobSetId: 'a', reason: 'PERMISSION_DENIED: no', msg: text },
      { level: 'error', queue: 'r', msg: text },
    ]);
    expect(failed).toEqual([]);
  });

  it('says which job set a write failed of, and why', async () => {
    assignments.writeFailed(KEY, new Error('Connection is closed.'));
    expect(lines).toMatchObject([
      { level: 'warn', msg: 'Redis command failed: Redis is unavailable', cause: 'unavailable', ...KEY },
    ]);
    expect((await metrics.redisErrors.get()).values).toMatchObject([{ labels: { cause: 'unavailable' } }]);
  });

  it('says once that this version cannot read job sets, however many there are', async () => {
    for (const jobSetId of ['a', 'b', 'c']) {
      assignments.unreadable({ queue: 'q', jobSetId }, new Error('layout 3'), 1_000, 1);
    }
    expect(lines).toMatchObject([{ level: 'warn', jobSetId: 'a' }]);
    expect((await metrics.failedAssignments.get()).values).toEqual([
      { labels: { cause: 'unreadable' }, value: 3 },
    ]);
  });

  it('blames no defect where the user of Redis lacks a right', async () => {
    assignments.assignmentFailed(KEY, new Error('NOPERM no permission to run HSET'), 1_000, 1);
    expect(lines).toMatchObject([
      {
        level: 'error',
        msg: expect.stringContaining('check the ACL of the Redis user') as string,
        ...KEY,
        retryInMs: 1_000,
      },
    ]);
    expect((await metrics.failedAssignments.get()).values).toEqual([
      { labels: { cause: 'failed' }, value: 1 },
    ]);
  });

  it('has one error for assignments that fail alike, and none for their retries', async () => {
    for (const inARow of [1, 2]) assignments.assignmentFailed(KEY, new Error('a defect'), 1_000, inARow);
    assignments.assignmentFailed(KEY, new Error('another one'), 1_000, 1);
    expect(lines).toMatchObject([
      { level: 'error', err: { message: 'a defect' }, ...KEY },
      { level: 'error', err: { message: 'another one' }, ...KEY },
    ]);
    expect((await metrics.failedAssignments.get()).values).toEqual([
      { labels: { cause: 'failed' }, value: 3 },
    ]);
  });
});
