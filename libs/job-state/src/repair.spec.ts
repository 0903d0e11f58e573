import { JobId, addMs, ArmadaTime, fold, isTerminal, repair, type JobEnd, type JobRecord } from './index.js';

const at = ArmadaTime(1_795_493_217_053);
const id = { ms: 1_795_493_217_053, sequence: 0, index: 0, last: true };
const RUNNING: JobRecord = {
  state: 'RUNNING',
  lastEvent: id,
  runNumber: 2,
  run: { cluster: 'c', runningAt: at, preempted: 'by another' },
  changedAt: at,
  failure: { reason: 'first run' },
};
const FAILED: JobEnd = { state: 'FAILED', at: addMs(at, 5), failure: { reason: 'exit 7' } };

describe('a repair', () => {
  it('gives a job the end that its stream did not show, and keeps what the stream did show', () => {
    expect(repair(RUNNING, FAILED)).toEqual({
      ...RUNNING,
      state: 'FAILED',
      changedAt: addMs(at, 5),
      run: { cluster: 'c', runningAt: at, endedAt: addMs(at, 5) },
      failure: { reason: 'exit 7' },
    });
    expect(
      repair(RUNNING, { state: 'CANCELLED', cancellation: { reason: 'r', requestor: 'u' } }),
    ).toMatchObject({
      state: 'CANCELLED',
      changedAt: at,
      failure: { reason: 'first run' },
      cancellation: { reason: 'r', requestor: 'u' },
    });
  });

  it('keeps the end of a run that the job outlived', () => {
    const waiting: JobRecord = {
      ...RUNNING,
      state: 'QUEUED',
      run: { endedAt: ArmadaTime(7), outcome: 'failed' },
    };
    expect(repair(waiting, FAILED).run).toEqual({ endedAt: 7, outcome: 'failed' });
  });

  it('adds no run where none was seen', () => {
    const provisional: JobRecord = { state: 'QUEUED', runNumber: 0, changedAt: at };
    const { at: changedAt, ...end } = FAILED;
    expect(repair(provisional, FAILED)).toEqual({ ...provisional, ...end, changedAt });
  });

  it('never changes a terminal state', () => {
    const ended = repair(RUNNING, FAILED);
    expect(repair(ended, { state: 'SUCCEEDED', at })).toBe(ended);
    const later = { ...id, ms: id.ms + 100 };
    expect(fold(ended, { kind: 'running', jobId: JobId('j'), at, placement: {} }, later)).toBe(ended);
  });

  it('accepts terminal states only', () => {
    // @ts-expect-error A job does not end in a state that goes on.
    const end: JobEnd = { state: 'QUEUED', at };
    expect(isTerminal(end.state)).toBe(false);
  });
});
