import { ManualClock } from '@ajs/testing';
import { WorkerSupervisor } from './worker-supervisor.js';

/** A worker of BullMQ whose loops do what a test says, watched by a supervisor. */
function supervised() {
  const clock = new ManualClock();
  const worker = {
    runs: 0,
    isAlive: true,
    hasPause: false,
    stalledChecks: 0,
    failure: undefined as Error | undefined,
  };
  const errors: Error[] = [];
  const ended: Error[] = [];
  const supervisor = new WorkerSupervisor({
    clock,
    onError: (error) => errors.push(error),
    onEnded: (error) => ended.push(error),
  });
  supervisor.start({
    run: () => {
      worker.runs++;
      return worker.failure === undefined ? Promise.resolve() : Promise.reject(worker.failure);
    },
    isRunning: () => worker.runs > 0 && worker.isAlive,
    isPaused: () => worker.hasPause,
    startStalledCheckTimer: () => {
      worker.stalledChecks++;
      return Promise.resolve();
    },
  });
  return { clock, worker, errors, ended, supervisor, ...supervisor.loops };
}

describe("BullMQ's worker", () => {
  it('is run once while it goes on', async () => {
    const { clock, worker } = supervised();
    await clock.pass(60_000);
    expect(worker.runs).toBe(1);
  });

  it('is run again within a second where its main loop has ended, and says why until it fetches', async () => {
    const { clock, worker, errors, ended, fetching } = supervised();
    worker.isAlive = false;
    worker.failure = new Error('connection closed');
    await clock.pass(2_000);
    expect(worker.runs).toBe(3);
    expect(errors).toEqual([worker.failure, worker.failure]);
    await clock.pass(6_000);
    worker.isAlive = true;
    await clock.pass(10_000);
    expect(fetching.standstill).toBe('no progress for 18 s: connection closed');
    fetching.moved();
    expect(fetching.standstill).toBeUndefined();
    expect(ended).toEqual([]);
  });

  it('is run again however often it has ended, where it ran in between', async () => {
    const { clock, worker, ended } = supervised();
    for (let n = 0; n < 20; n++) {
      worker.isAlive = false;
      await clock.pass(1_000);
      worker.isAlive = true;
      await clock.pass(1_000);
    }
    expect([worker.runs, ended]).toEqual([21, []]);
  });

  it('has ended for good where it does not run again, and is not tried any more', async () => {
    const { clock, worker, ended } = supervised();
    worker.isAlive = false;
    worker.failure = new Error('connection closed');
    await clock.pass(60_000);
    expect(ended).toEqual([worker.failure]);
    expect(worker.runs).toBe(10);
    expect(clock.timers).toBe(0);
  });

  it('has its check for stalled jobs started again where that stands still', async () => {
    const { clock, worker, stalledCheck } = supervised();
    await clock.pass(15_000);
    expect(worker.stalledChecks).toBe(0);
    await clock.pass(1_000);
    expect(worker.stalledChecks).toBe(1);
    stalledCheck.moved();
    await clock.pass(15_000);
    expect(worker.stalledChecks).toBe(1);
  });

  it('is left alone during a pause, and when it is stopped', async () => {
    const { clock, worker, supervisor, fetching, stalledCheck } = supervised();
    Object.assign(worker, { isAlive: false, hasPause: true });
    await clock.pass(60_000);
    expect(worker).toMatchObject({ runs: 1, stalledChecks: 0 });
    supervisor.stop();
    worker.hasPause = false;
    await clock.pass(60_000);
    expect(worker).toMatchObject({ runs: 1, stalledChecks: 0 });
    expect([fetching.standstill, stalledCheck.standstill]).toEqual([undefined, undefined]);
  });
});
