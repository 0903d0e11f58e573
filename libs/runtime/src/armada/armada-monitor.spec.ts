import { createLog } from '@ajs/observability';
import { ManualClock } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import { ArmadaMonitor } from './armada-monitor.js';

let clock: ManualClock;
let lines: Record<string, unknown>[];
let monitor: ArmadaMonitor;
/** What Health fails with. */
let failure: (Error & { code?: status }) | undefined;
let probes: number;
/** Whether Health does not answer. */
let hangs: boolean;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  failure = undefined;
  probes = 0;
  hangs = false;
  const log = createLog('app', 'info', {
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const health = (): Promise<void> => {
    probes++;
    if (hangs) return new Promise(() => undefined);
    return failure === undefined ? Promise.resolve() : Promise.reject(failure);
  };
  monitor = new ArmadaMonitor({ health, log, clock });
});
afterEach(() => monitor.stop());

const failWith = (code: status, text: string) => (failure = Object.assign(new Error(text), { code }));
const told = () =>
  lines.map(({ level, msg, jobSets }) => `${String(level)} ${String(msg)} ${String(jobSets)}`);
const fail = (jobSetId: string, inARow = 1) =>
  monitor.streamFailed({ queue: 'q', jobSetId }, 'UNAVAILABLE: connection refused', inARow);

const UNAVAILABLE = 'warn Armada is unavailable; known jobs keep their last state until it is back';
const AVAILABLE = 'info Armada is available again';

describe('an outage of Armada', () => {
  it('is one warning and one line at its end, each with the job sets affected, whatever fails meanwhile', async () => {
    monitor.start();
    await clock.pass(0);
    failWith(status.UNAVAILABLE, 'connection refused');
    for (let i = 0; i < 89; i++) fail(`set ${i}`);
    monitor.callFailed();
    await clock.pass(500);
    expect(told()).toEqual([`${UNAVAILABLE} 89`]);
    expect(lines[0]).toMatchObject({ reason: 'connection refused' });
    for (let n = 2; n < 20; n++) {
      for (let i = 0; i < 90; i++) fail(`set ${i}`, n);
      monitor.callFailed();
      await clock.pass(1_000);
    }
    failure = undefined;
    fail('the last one');
    await clock.pass(2_000);
    expect(told()).toEqual([`${UNAVAILABLE} 89`, `${AVAILABLE} 91`]);
    expect(lines[1]).toMatchObject({ unavailableForMs: 20_000 });
  });

  it('is reported at the start', async () => {
    failWith(status.DEADLINE_EXCEEDED, 'no answer');
    monitor.start();
    await clock.pass(0);
    expect(told()).toEqual([`${UNAVAILABLE} undefined`]);
  });

  it('is also one where there is no credential to ask with', async () => {
    failure = new Error('no credential for Armada');
    monitor.start();
    await clock.pass(0);
    expect(told()).toEqual([`${UNAVAILABLE} undefined`]);
  });

  it('has no lines for what fails once more while connections are made again', async () => {
    failWith(status.UNAVAILABLE, 'connection refused');
    monitor.start();
    await clock.pass(0);
    failure = undefined;
    await clock.pass(2_000);
    fail('a', 7);
    await clock.pass(29_500);
    expect(told()).toEqual([`${UNAVAILABLE} undefined`, `${AVAILABLE} undefined`]);
    // Looked at when 30 s have passed.
    fail('a', 8);
    await clock.pass(500);
    expect(told()).toHaveLength(3);
  });
});

describe('while Armada answers', () => {
  it.each([status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.UNIMPLEMENTED])(
    'it is available, whatever its Health refuses: %s',
    async (code) => {
      failWith(code, 'no');
      monitor.start();
      await clock.pass(10_000);
      expect(lines).toEqual([]);
      expect(probes).toBe(1);
    },
  );

  it('streams that ended are one line with their number, and a warning where they keep failing', async () => {
    for (const name of ['a', 'b', 'c']) fail(name);
    await clock.pass(500);
    for (const name of ['a', 'b']) fail(name, 3);
    await clock.pass(500);
    expect(told()).toEqual([
      'info event streams ended; reopening them 3',
      'warn event streams keep failing, although Armada answers; retrying 2',
    ]);
  });

  it('the one that failed most often in a row decides whether they keep failing, whichever ended first', async () => {
    for (const [name, inARow] of [
      ['a', 1],
      ['b', 3],
      ['c', 2],
    ] as const)
      fail(name, inARow);
    await clock.pass(500);
    expect(lines).toMatchObject([{ level: 'warn', jobSets: 3, inARow: 3 }]);
  });

  it('a failure is not looked into any more by a monitor that is stopped', () => {
    monitor.callFailed();
    expect(clock.timers).toBe(1);
    monitor.stop();
    expect(clock.timers).toBe(0);
  });

  it('it is not asked again before it has answered', async () => {
    hangs = true;
    monitor.start();
    for (let i = 0; i < 10; i++) {
      monitor.callFailed();
      await clock.pass(1_000);
    }
    expect(probes).toBe(1);
  });

  it('failures have it asked twice a second at most', async () => {
    for (let i = 0; i < 100; i++) {
      monitor.callFailed();
      await clock.pass(10);
    }
    expect(probes).toBeLessThanOrEqual(2);
  });
});

it('a monitor that was stopped says nothing more, and asks no more', async () => {
  failWith(status.UNAVAILABLE, 'connection refused');
  monitor.start();
  monitor.stop();
  monitor.callFailed();
  expect(clock.timers).toBe(0);
  await clock.pass(10_000);
  expect(lines).toEqual([]);
  expect(probes).toBe(1);
});
