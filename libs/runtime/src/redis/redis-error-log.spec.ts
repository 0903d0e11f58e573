import { Metrics, createLog } from '@ajs/observability';
import { RedisErrorLog } from './redis-error-log.js';

let lines: Record<string, unknown>[];
let metrics: Metrics;
let errors: RedisErrorLog;
let reported: string[];

beforeEach(() => {
  lines = [];
  reported = [];
  metrics = new Metrics();
  const log = createLog('app', 'info', {
    write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  errors = new RedisErrorLog(log, metrics, { report: (error) => reported.push(error.message) });
});

describe('an error from Redis', () => {
  it.each([
    ['unavailable', 'warn', 'Connection is closed.', /Redis is unavailable/],
    ['denied', 'error', "NOPERM this user has no permissions to run the 'eval' command", /check the ACL/],
    ['unexpected', 'error', 'WRONGTYPE Operation against a key', /defect of this service/],
  ])('that is %s is counted and logged as that', async (cause, level, message, text) => {
    errors.report(new Error(message), { queue: 'q' });
    expect(lines).toMatchObject([
      {
        level,
        cause,
        queue: 'q',
        msg: expect.stringMatching(text) as string,
        err: { message },
      },
    ]);
    expect((await metrics.redisErrors.get()).values).toEqual([{ labels: { cause }, value: 1 }]);
  });

  it('that is a refused write is counted, and left to the part that knows when Redis takes writes again', async () => {
    const message = "OOM command not allowed when used memory > 'maxmemory'.";
    errors.report(new Error(message));
    expect(reported).toEqual([message]);
    expect(lines).toEqual([]);
    expect((await metrics.redisErrors.get()).values).toMatchObject([{ labels: { cause: 'write-refused' } }]);
  });

  it('is counted each time, and logged once a minute while it goes on', async () => {
    for (let i = 0; i < 3; i++) errors.report(new Error('Connection is closed.'));
    expect(lines).toHaveLength(1);
    expect((await metrics.redisErrors.get()).values).toMatchObject([{ value: 3 }]);
  });
});
