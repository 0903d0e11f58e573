import {
  JobId,
  addMs,
  ArmadaTime,
  fold,
  isTerminal,
  type JobEvent,
  type JobRecord,
  type JobState,
  type MessageId,
  type Run,
} from './index.js';

const id = (n: number): MessageId => ({ ms: 1_795_493_217_000 + n, sequence: 0, index: 0, last: true });
const at = ArmadaTime(1_795_493_217_053);
const base = { jobId: JobId('job'), at };
const placement = { cluster: 'c1', node: 'n1', pool: 'p1', podName: 'pod', podNamespace: 'ns' };
const failed = (more: Partial<Extract<JobEvent, { kind: 'failed' }>> = {}): JobEvent => ({
  ...base,
  kind: 'failed',
  retryable: false,
  rejected: false,
  failure: { reason: 'exit code 1' },
  placement: {},
  ...more,
});
const EVENTS = {
  submitted: { ...base, kind: 'submitted', namespace: 'ns', externalUri: 'airflow://a' },
  queued: { ...base, kind: 'queued' },
  leased: { ...base, kind: 'leased', placement: { cluster: 'c1', pool: 'p1' } },
  returned: { ...base, kind: 'returned', expired: false, attempted: true },
  expired: { ...base, kind: 'returned', expired: true, attempted: true },
  pending: { ...base, kind: 'pending', placement },
  running: { ...base, kind: 'running', placement },
  succeeded: { ...base, kind: 'succeeded', placement: {} },
  preempted: { ...base, kind: 'preempted', reason: 'Preempted by other' },
  cancelled: { ...base, kind: 'cancelled', reason: 'enough', requestor: 'alice' },
  duplicate: { ...base, kind: 'duplicate-found', originalJobId: 'first' },
} as const satisfies Record<string, JobEvent>;

/** Folds events with rising ids over nothing. */
function foldAll(...events: JobEvent[]): JobRecord | undefined {
  return events.reduce<JobRecord | undefined>((record, event, i) => fold(record, event, id(i)), undefined);
}

const {
  submitted,
  queued,
  leased,
  returned,
  expired,
  pending,
  running,
  succeeded,
  preempted,
  cancelled,
  duplicate,
} = EVENTS;
const retried = failed({ retryable: true, failure: { reason: 'first run' } });
const FAILED_RUN: Run = { runningAt: at, endedAt: at, outcome: 'failed' };
const rejected = failed({ rejected: true, failure: { reason: 'does not fit' } });

describe('fold: the state table', () => {
  it.each<[string, JobEvent[], JobState]>([
    ['submitted makes a record', [submitted], 'SUBMITTED'],
    ['queued makes a record', [queued], 'QUEUED'],
    ['queued after submitted', [submitted, queued], 'QUEUED'],
    ['queued changes no later state', [running, queued], 'RUNNING'],
    ['submitted changes no later state', [leased, submitted], 'LEASED'],
    ['a lease that came back queues the job again', [running, returned], 'QUEUED'],
    ['a lease that expired queues the job again', [running, expired], 'QUEUED'],
    ['a retry that was preempted queues the job again', [running, preempted, retried], 'QUEUED'],
    ['cancelled while it waits for its next run', [running, retried, cancelled], 'CANCELLED'],
    ['leased', [submitted, queued, leased], 'LEASED'],
    ['pending', [leased, pending], 'PENDING'],
    ['running', [leased, pending, running], 'RUNNING'],
    ['succeeded', [leased, pending, running, succeeded], 'SUCCEEDED'],
    ['a retryable failure queues the job again', [running, retried], 'QUEUED'],
    ['a run after a retryable failure', [running, retried, leased], 'LEASED'],
    ['rejected by the scheduler', [queued, rejected], 'REJECTED'],
    ['failed after preempted of the current run', [running, preempted, failed()], 'PREEMPTED'],
    ['failed of the run after a preempted one', [running, preempted, leased, failed()], 'FAILED'],
    [
      'failed after a preempted run whose lease came back',
      [running, preempted, returned, failed()],
      'FAILED',
    ],
    ['failed otherwise', [running, failed()], 'FAILED'],
    ['preempted alone changes no state', [running, preempted], 'RUNNING'],
    ['cancelled', [queued, cancelled], 'CANCELLED'],
    ['duplicate found', [submitted, duplicate], 'DUPLICATE_FOUND'],
    ['a stream that begins with a run', [running], 'RUNNING'],
    ['a stream that begins with an end', [succeeded], 'SUCCEEDED'],
    ['a stream that begins with a preemption', [preempted, failed()], 'PREEMPTED'],
    [
      'a stream that begins between a preemption and its failure',
      [failed({ failure: { reason: 'Preempted by scheduler' } })],
      'PREEMPTED',
    ],
  ])('%s', (_, events, state) => {
    expect(foldAll(...events)?.state).toBe(state);
  });

  it.each([succeeded, failed(), cancelled, rejected, duplicate])('$kind ends the job for good', (end) => {
    const ended = foldAll(running, end);
    expect(isTerminal(ended?.state ?? 'RUNNING')).toBe(true);
    for (const later of [...Object.values(EVENTS), failed(), retried]) {
      expect(fold(ended, later, id(1_000))).toBe(ended);
    }
  });

  it('a duplicate names the job that came before it', () => {
    expect(foldAll(submitted, duplicate)?.failure).toEqual({ reason: 'duplicate of job first' });
  });

  it('a run ends once: what befalls a job that waits again is not its end', () => {
    const record = foldAll(running, retried, { ...cancelled, at: addMs(at, 5) });
    expect(record).toMatchObject({ run: FAILED_RUN, changedAt: addMs(at, 5) });
  });

  it('an id that is not greater than the last one applied changes nothing', () => {
    const record = foldAll(submitted, leased);
    expect(fold(record, running, id(1))).toBe(record);
    expect(fold(record, running, id(0))).toBe(record);
    expect(fold(record, running, id(2)).state).toBe('RUNNING');
  });

  it('queued changes nothing of a job that is queued, be it for its next run', () => {
    for (const record of [foldAll(queued), foldAll(running, retried)]) {
      expect(fold(record, { ...queued, at: addMs(at, 5) }, id(9))).toBe(record);
    }
  });

  it('any event applies to a provisional record, which has no message id', () => {
    const provisional: JobRecord = { state: 'QUEUED', runNumber: 0, changedAt: at };
    expect(fold(provisional, running, id(0)).state).toBe('RUNNING');
    expect(fold(provisional, submitted, id(0))).toMatchObject({
      state: 'QUEUED',
      lastEvent: id(0),
      submittedAt: at,
    });
    expect(fold(provisional, queued, id(0))).toEqual({ ...provisional, lastEvent: id(0) });
  });
});

describe('fold: what else a record keeps', () => {
  it('where a run was and when, from its events together', () => {
    expect(foldAll(submitted, queued, leased, pending, running, succeeded)).toEqual({
      state: 'SUCCEEDED',
      lastEvent: id(5),
      runNumber: 1,
      run: { ...placement, leasedAt: at, pendingAt: at, runningAt: at, endedAt: at },
      submittedAt: at,
      changedAt: at,
      namespace: 'ns',
      externalUri: 'airflow://a',
    });
  });

  const later = addMs(at, 60_000);
  it.each<[string, JobEvent[], Run]>([
    [
      'failed, tried again',
      [running, retried],
      { ...placement, runningAt: at, endedAt: at, outcome: 'failed' },
    ],
    ['preempted, tried again', [leased, preempted, retried], { endedAt: at, outcome: 'preempted' }],
    ['came back', [leased, returned], { leasedAt: at, endedAt: at, outcome: 'returned' }],
    ['expired', [leased, expired], { leasedAt: at, endedAt: at, outcome: 'expired' }],
    ['came back after a preemption', [leased, preempted, returned], { endedAt: at, outcome: 'returned' }],
    ['came back, and nothing was seen before', [returned], { endedAt: at, outcome: 'returned' }],
    ['failed, and nothing was seen before', [retried], { endedAt: at, outcome: 'failed' }],
    ['failed; then the job was cancelled', [running, retried, { ...cancelled, at: later }], FAILED_RUN],
    ['failed; then the job was refused', [running, retried, { ...rejected, at: later }], FAILED_RUN],
    [
      'came back; then the job failed',
      [leased, returned, failed({ at: later })],
      { endedAt: at, outcome: 'returned' },
    ],
  ])('how a run ended that its job outlived: %s', (_, events, run) => {
    const record = foldAll(...events);
    expect(record?.run).toMatchObject(run);
    expect(record?.run).not.toHaveProperty('preempted');
  });

  it.each([succeeded, failed(), cancelled])('no outcome of a run that ended with its job: $kind', (end) => {
    expect(foldAll(leased, running, end)?.run).toEqual({
      ...leased.placement,
      ...placement,
      leasedAt: at,
      runningAt: at,
      endedAt: at,
    });
  });

  it.each<[string, JobEvent, Run]>([
    ['leased', leased, { ...leased.placement, leasedAt: at }],
    ['pending', pending, { ...placement, pendingAt: at }],
    ['running', running, { ...placement, runningAt: at }],
    ['succeeded', { ...succeeded, placement }, { ...placement, endedAt: at }],
  ])('nothing of an ended run in the next one, also where its lease was not seen: %s', (_, event, run) => {
    expect(foldAll(leased, running, retried, event)).toMatchObject({ runNumber: 2 });
    expect(foldAll(leased, running, retried, event)?.run).toEqual(run);
  });

  const untried: JobEvent = { ...returned, attempted: false };
  it.each<[string, JobEvent[], failedRuns: number | undefined]>([
    ['a job that succeeds at once has none', [leased, running, succeeded], undefined],
    ['a run that is tried again', [leased, running, retried], 1],
    [
      'each run that is tried again, also where their leases were not seen',
      [running, retried, running, retried],
      2,
    ],
    [
      'two runs of a job whose third succeeds',
      [leased, retried, leased, retried, leased, running, succeeded],
      2,
    ],
    ['the run that its job failed with', [leased, retried, leased, failed()], 2],
    ['the run that its job was preempted with', [leased, preempted, failed()], 1],
    ['a preempted run that is tried again', [leased, preempted, retried, leased], 1],
    ['a preempted run whose failure the stream lacks', [leased, preempted, leased, succeeded], 1],
    ['one run, should it be preempted once it has failed', [leased, retried, preempted, leased], 1],
    ['a run whose lease expired', [leased, expired], 1],
    ['a run that was given back after an attempt', [leased, pending, returned], 1],
    ['no run that was given back untried', [leased, untried], undefined],
    ['one run, should the job fail because of its end', [leased, expired, failed()], 1],
    ['no run that its job was cancelled in', [leased, running, cancelled], undefined],
    ['no run of a job that was rejected', [queued, rejected], undefined],
    ['no run that its job was rejected in', [leased, rejected], undefined],
    ['no run of a job that fails without one', [queued, failed()], undefined],
    ['a run that the stream begins in', [failed({ placement })], 1],
  ])('how many runs failed: %s', (_, events, failedRuns) => {
    expect(foldAll(...events)?.failedRuns).toBe(failedRuns);
  });

  it('no failed run twice, however often its events come', () => {
    const events = [leased, retried, leased, failed()];
    let record: JobRecord | undefined;
    for (let times = 0; times < 3; times++) {
      for (const [i, event] of events.entries()) record = fold(record, event, id(i));
    }
    expect(record?.failedRuns).toBe(2);
  });

  it('no run of a job that ends without one, and all that was known of it', () => {
    const queuedJob = foldAll(submitted, queued);
    const at = addMs(base.at, 60_000);
    const { reason, requestor } = cancelled;
    expect(fold(queuedJob, { ...cancelled, at }, id(2))).toEqual({
      ...queuedJob,
      state: 'CANCELLED',
      changedAt: at,
      lastEvent: id(2),
      cancellation: { reason, requestor },
    });
    expect(fold(queuedJob, { ...rejected, at }, id(2))).toEqual({
      ...queuedJob,
      state: 'REJECTED',
      changedAt: at,
      lastEvent: id(2),
      failure: { reason: 'does not fit' },
    });
  });

  it('the latest run only, counted', () => {
    const record = foldAll(leased, pending, running, retried, { ...leased, placement: { cluster: 'c2' } });
    expect(record).toMatchObject({ runNumber: 2, run: { cluster: 'c2', leasedAt: at } });
    expect(record?.run).not.toHaveProperty('node');
    expect(record?.failure).toEqual({ reason: 'first run' });
  });

  it('the reason of a preemption rather than of the failure it causes, where it has one', () => {
    const reasonOf = (...events: JobEvent[]) => foldAll(...events)?.failure?.reason;
    expect(reasonOf(running, preempted, failed())).toBe('Preempted by other');
    expect(reasonOf(running, { ...preempted, reason: '' }, failed())).toBe('exit code 1');
    expect(reasonOf(running, preempted, rejected)).toBe('does not fit');
  });

  it.each([pending, running])(
    'the number of its first run, also where that was not seen from its lease: $kind',
    (event) => {
      expect(foldAll(event)?.runNumber).toBe(1);
      expect(foldAll(queued, event)?.runNumber).toBe(1);
    },
  );

  it('where its run was as its last event has it', () => {
    const placed = { ...succeeded, placement: { node: 'n2' } };
    expect(foldAll(running, placed)?.run).toMatchObject({ cluster: 'c1', node: 'n2' });
  });

  it('who cancelled and why', () => {
    expect(foldAll(running, cancelled)?.cancellation).toEqual({ reason: 'enough', requestor: 'alice' });
  });

  it('the time of its submission as the stream has it, and what its first submission has', () => {
    const provisional: JobRecord = {
      state: 'QUEUED',
      runNumber: 0,
      changedAt: at,
      submittedAt: addMs(at, -400),
    };
    const known = fold(provisional, submitted, id(0));
    expect(known).toMatchObject({ submittedAt: at, namespace: 'ns', externalUri: 'airflow://a' });
    const again = fold(known, { ...submitted, namespace: 'other', externalUri: 'airflow://b' }, id(1));
    expect(again).toMatchObject({ namespace: 'ns', externalUri: 'airflow://a' });
  });

  it('the time of the submission, even where another event came first', () => {
    expect(foldAll({ ...running, at: addMs(at, 5) }, submitted)).toMatchObject({
      submittedAt: at,
      changedAt: addMs(at, 5),
    });
  });
});
