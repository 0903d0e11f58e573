import fc from 'fast-check';
import {
  JobId,
  addMs,
  ArmadaTime,
  fold,
  isJobEnd,
  isTerminal,
  report,
  type JobEnd,
  type JobEvent,
  type JobRecord,
  type JobReport,
  type JobState,
  type MessageId,
} from './index.js';
import { compareStages, stageOf } from './stage.js';

const at = ArmadaTime(1_795_493_217_053);
const later = (ms: number): ArmadaTime => addMs(at, ms);
const id = (n: number): MessageId => ({ ms: 1_795_493_217_000 + n, sequence: 0, index: 0, last: true });
const base = { jobId: JobId('j') };
const RUNNING: JobRecord = {
  state: 'RUNNING',
  lastEvent: id(0),
  runNumber: 2,
  run: { cluster: 'c', leasedAt: at, runningAt: later(5), preempted: 'by another' },
  changedAt: later(5),
  failure: { reason: 'first run' },
};
const FAILED: JobEnd = { state: 'FAILED', at: later(10), leasedAt: at, failure: { reason: 'exit 7' } };

describe('a report of a job', () => {
  it('makes a record of a job that has none', () => {
    expect(report(undefined, { state: 'RUNNING', at, leasedAt: later(-5), submittedAt: later(-9) })).toEqual({
      state: 'RUNNING',
      runNumber: 0,
      changedAt: at,
      reported: { leasedAt: later(-5) },
      submittedAt: later(-9),
    });
    expect(report(undefined, { state: 'QUEUED', submittedAt: at })).toMatchObject({
      changedAt: at,
      reported: {},
    });
  });

  it('gives it its end, and keeps what the stream has shown besides', () => {
    expect(report(RUNNING, FAILED)).toEqual({
      ...RUNNING,
      state: 'FAILED',
      changedAt: later(10),
      reported: { leasedAt: at },
      failure: { reason: 'exit 7' },
    });
    const cancelled: JobEnd = { state: 'CANCELLED', cancellation: { reason: 'r', requestor: 'u' } };
    expect(report(RUNNING, cancelled)).toEqual({ ...RUNNING, ...cancelled, reported: {} });
  });

  it('gives a job that failed no reason of an earlier run', () => {
    const { failure: _, ...end } = FAILED;
    expect(report(RUNNING, end)).not.toHaveProperty('failure');
  });

  it.each<[string, JobReport]>([
    ['where it is', { state: 'RUNNING', at: later(5), leasedAt: at }],
    ['before', { state: 'PENDING', at: later(60_000), leasedAt: at }],
    ['in the run before', { state: 'RUNNING', at: later(60_000), leasedAt: later(-101) }],
    ['without a run', { state: 'QUEUED', at: later(60_000) }],
  ])('changes nothing where it shows the job %s', (_, reported) => {
    expect(report(RUNNING, reported)).toBe(RUNNING);
  });

  it.each<[string, JobReport]>([
    ['queued again', { state: 'QUEUED', at, leasedAt: at }],
    ['in the next run', { state: 'LEASED', at, leasedAt: later(101) }],
  ])('gives it its state where it shows it %s', (_, reported) => {
    expect(report(RUNNING, reported)).toMatchObject({
      state: reported.state,
      changedAt: at,
      run: RUNNING.run,
    });
  });

  it('is compared with the one before, and not with the run that the stream has shown', () => {
    const next = report(RUNNING, { state: 'PENDING', at, leasedAt: later(9_000) });
    expect(report(next, { state: 'RUNNING', at: later(99), leasedAt: at })).toBe(next);
    expect(report(next, { state: 'RUNNING', at, leasedAt: later(9_000) }).state).toBe('RUNNING');
  });

  it('never changes an end, and adds to it what an earlier report left out', () => {
    const { failure, ...withoutReason } = FAILED;
    const ended = report(RUNNING, withoutReason);
    expect(report(ended, { state: 'SUCCEEDED', at: later(99_000), failure: { reason: 'other' } })).toBe(
      ended,
    );
    expect(report(ended, withoutReason)).toBe(ended);
    const completed = report(ended, FAILED);
    expect(completed).toEqual({ ...ended, failure });
    expect(report(completed, { ...FAILED, failure: { reason: 'another' } })).toBe(completed);
    const shown = fold(RUNNING, { ...base, at, kind: 'succeeded', placement: {} }, id(1));
    expect(report(shown, FAILED)).toBe(shown);
  });

  it('adds who cancelled the job, and why, to an end that an earlier one reported without', () => {
    const cancellation = { reason: 'enough', requestor: 'alice' };
    const ended = report(RUNNING, { state: 'CANCELLED', at: later(10) });
    const completed = report(ended, { state: 'CANCELLED', at: later(10), cancellation });
    expect(completed).toEqual({ ...ended, cancellation });
    const another = { reason: 'another', requestor: 'bob' };
    expect(report(completed, { state: 'CANCELLED', at: later(10), cancellation: another })).toBe(completed);
    expect(report(ended, FAILED)).toBe(ended);
  });

  it('adds nothing to an end that the stream has shown', () => {
    const { failure: _, ...without } = RUNNING;
    const shown: JobRecord = { ...without, state: 'FAILED' };
    expect(report(shown, FAILED)).toBe(shown);
  });

  it('keeps the reason that it has, also of an end that needs none', () => {
    const failure = { reason: 'evicted' };
    expect(report(RUNNING, { state: 'CANCELLED', at: later(10), failure }).failure).toEqual(failure);
  });

  it('of an end is of a terminal state', () => {
    // @ts-expect-error A job does not end in a state that goes on.
    const end: JobEnd = { state: 'QUEUED', at };
    expect(isTerminal(end.state)).toBe(false);
    expect(isJobEnd(end)).toBe(false);
    expect(isJobEnd(FAILED)).toBe(true);
  });
});

const placement = { cluster: 'c', node: 'n' };
const failure = { reason: 'exit 7', exitCodes: { main: 7 } };
const failed = (retryable: boolean, more: object = {}): JobEvent => ({
  ...base,
  at: later(20),
  kind: 'failed',
  retryable,
  rejected: false,
  failure,
  placement: {},
  ...more,
});

describe('the stream after a report', () => {
  it('changes no state until it has come as far, and adds all else', () => {
    let record = report(undefined, { state: 'RUNNING', at: later(9), leasedAt: later(7) });
    const states: JobState[] = [];
    const events: JobEvent[] = [
      { ...base, at, kind: 'submitted', namespace: 'ns' },
      { ...base, at, kind: 'queued' },
      { ...base, at: later(7), kind: 'leased', placement: { cluster: 'c' } },
      { ...base, at: later(8), kind: 'pending', placement },
    ];
    events.forEach((event, i) => {
      record = fold(record, event, id(i));
      states.push(record.state);
    });
    expect(new Set(states)).toEqual(new Set(['RUNNING']));
    expect(record).toEqual({
      state: 'RUNNING',
      changedAt: later(9),
      reported: { leasedAt: later(7) },
      lastEvent: id(3),
      runNumber: 1,
      run: { ...placement, leasedAt: later(7), pendingAt: later(8) },
      submittedAt: at,
      namespace: 'ns',
    });
    record = fold(record, { ...base, at: later(11), kind: 'running', placement }, id(4));
    expect(record).toMatchObject({ state: 'RUNNING', changedAt: later(11) });
    expect(record).not.toHaveProperty('reported');
  });

  it.each<[string, JobEvent]>([
    ['queued, where that was reported', { ...base, at: later(-400), kind: 'queued' }],
    ['leased, where queued was reported', { ...base, at, kind: 'leased', placement: {} }],
    ['an end', { ...base, at, kind: 'succeeded', placement: {} }],
  ])('has come as far with %s', (_, event) => {
    const shown = fold(report(undefined, { state: 'QUEUED', at }), event, id(1));
    expect(shown).not.toHaveProperty('reported');
    expect(shown.changedAt).toBe(event.at);
  });

  it('changes nothing with queued where it has shown a run', () => {
    const record = report(RUNNING, { state: 'QUEUED', at: later(50), leasedAt: at });
    expect(fold(record, { ...base, at: later(99), kind: 'queued' }, id(1))).toBe(record);
  });

  it.each<[string, JobEvent]>([
    ['submitted', { ...base, at: later(99), kind: 'submitted' }],
    ['preempted', { ...base, at: later(99), kind: 'preempted', reason: 'p' }],
  ])('has not come as far with %s, which says no state', (_, event) => {
    const record = report(RUNNING, { state: 'QUEUED', at: later(50), leasedAt: at });
    expect(fold(record, event, id(1))).toMatchObject({ state: 'QUEUED', changedAt: later(50), reported: {} });
  });

  it('adds the reason, the exit codes and the times to the end that was reported', () => {
    const { preempted: _, ...run } = RUNNING.run ?? {};
    const record = report({ ...RUNNING, run }, { ...FAILED, failure: { reason: 'a text' } });
    const between = fold(record, failed(true, { failure: { reason: 'an earlier run' } }), id(1));
    expect(between).toMatchObject({ state: 'FAILED', failure: { reason: 'a text' }, reported: {} });
    const ended = fold(record, failed(false), id(2));
    expect(ended).toEqual({
      ...RUNNING,
      state: 'FAILED',
      lastEvent: id(2),
      changedAt: later(20),
      run: { ...run, endedAt: later(20) },
      failedRuns: 1,
      failure,
    });
    expect(fold(ended, { ...base, at, kind: 'cancelled', reason: '', requestor: '' }, id(3))).toBe(ended);
  });

  it('does not change the end that was reported into another', () => {
    const ended = fold(
      report(RUNNING, FAILED),
      { ...base, at: later(20), kind: 'succeeded', placement },
      id(1),
    );
    expect(ended).toMatchObject({
      state: 'FAILED',
      changedAt: later(10),
      run: { node: 'n', endedAt: later(20) },
    });
    expect(ended).not.toHaveProperty('reported');
  });

  it('is where it is known whether a failure is a preemption: also where it begins after one', () => {
    const preempted = failed(false, { failure: { reason: 'Preempted by scheduler' } });
    expect(fold({ state: 'SUBMITTED', runNumber: 0, changedAt: at }, preempted, id(0)).state).toBe(
      'PREEMPTED',
    );
  });
});

describe('reports and the stream, wherever each of them is', () => {
  const end = fc.constantFrom<JobEvent[]>(
    [{ ...base, at, kind: 'succeeded', placement }],
    [failed(false)],
    [{ ...base, at, kind: 'preempted', reason: 'p' }, failed(false)],
    [{ ...base, at, kind: 'cancelled', reason: 'r', requestor: 'u' }],
    [],
  );
  const runEnd = fc.constantFrom<JobEvent>(failed(true), {
    ...base,
    at,
    kind: 'returned',
    expired: false,
    attempted: true,
  });
  const runEvents = fc.constantFrom<JobEvent[]>(
    [{ ...base, at, kind: 'leased', placement }],
    [
      { ...base, at, kind: 'leased', placement },
      { ...base, at, kind: 'pending', placement },
    ],
    [
      { ...base, at, kind: 'leased', placement },
      { ...base, at, kind: 'pending', placement },
      { ...base, at, kind: 'running', placement },
    ],
  );
  /** A job's events as Armada has them. Only leases are by one clock; any other may be seconds off. */
  const life: fc.Arbitrary<JobEvent[]> = fc
    .record({
      runs: fc.array(fc.tuple(runEvents, runEnd), { maxLength: 3 }),
      last: runEvents,
      end,
      skews: fc.array(fc.integer({ min: -3_000, max: 3_000 }), { minLength: 30, maxLength: 30 }),
    })
    .map(({ runs, last, end, skews }) => {
      const events: JobEvent[] = [
        { ...base, at, kind: 'submitted', namespace: 'ns' },
        { ...base, at, kind: 'queued' },
        ...runs.flatMap(([run, over]) => [...run, over]),
        ...last,
        ...end,
      ];
      return events.map((event, i) => {
        const skew = event.kind === 'leased' ? 0 : (skews[i] ?? 0);
        return { ...event, at: later(i * 150 + skew) };
      });
    });
  const fields = fc.record({ life, places: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 }) });

  it('never take a job back, and leave the record that the stream alone makes', () => {
    fc.assert(
      fc.property(fields, ({ life, places }) => {
        const streamed = life.map((_, n) =>
          life
            .slice(0, n + 1)
            .reduce<JobRecord | undefined>((r, event, i) => fold(r, event, id(i)), undefined),
        );
        let record: JobRecord | undefined;
        const told = (next: JobRecord): void => {
          if (record !== undefined) {
            expect(compareStages(stageOf(next), stageOf(record))).toBeGreaterThanOrEqual(0);
            if (isTerminal(record.state)) expect(next.state).toBe(record.state);
          }
          record = next;
        };
        life.forEach((event, i) => {
          // Reports that are read here, of any age, from `api.Jobs` that may be behind the stream or ahead of it.
          for (const [place, age] of places) {
            if (place % life.length !== i) continue;
            const shown = streamed[age % life.length];
            if (shown !== undefined && shown.state !== 'SUBMITTED') told(report(record, reportOf(shown)));
          }
          told(fold(record, event, id(i)));
        });
        expect(record).toEqual(streamed.at(-1));
      }),
    );
  });
});

/** As `api.Jobs` reports the job when it is there. */
function reportOf({ state, changedAt, run, submittedAt }: JobRecord): JobReport {
  return {
    state,
    at: changedAt,
    ...(run?.leasedAt !== undefined && { leasedAt: run.leasedAt }),
    ...(submittedAt !== undefined && { submittedAt }),
  };
}
