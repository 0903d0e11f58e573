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
/** What the monitor of Armada was told. */
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
});

describe('the log of assignments', () => {
  it('leaves streams that failed to the monitor of Armada, and counts each by its kind', async () => {
    const end = { kind: 'retry', reason: 'connection refused' } as const;
    for (const inARow of [1, 2, 3]) assignments.streamEnded(KEY, end, 100, inARow);
    expect(lines).toEqual([]);
    expect(failed).toEqual([1, 2, 3].map((inARow) => [KEY, 'connection refused', inARow]));
    expect((await metrics.streamEnds.get()).values).toEqual([{ labels: { kind: 'retry' }, value: 3 }]);
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

  it('says once that this version cannot read job sets, however many there are', () => {
    for (const jobSetId of ['a', 'b', 'c']) {
      assignments.unreadable({ queue: 'q', jobSetId }, new Error('layout 3'), 1_000, 1);
    }
    expect(lines).toMatchObject([{ level: 'warn', jobSetId: 'a' }]);
  });

  it('has an error for each assignment that fails, and none for its retries', async () => {
    for (const inARow of [1, 2]) assignments.assignmentFailed(KEY, new Error('a defect'), 1_000, inARow);
    expect(lines).toMatchObject([{ level: 'error', err: { message: 'a defect' }, ...KEY }]);
    expect((await metrics.failedAssignments.get()).values).toEqual([
      { labels: { cause: 'failed' }, value: 2 },
    ]);
  });
});
