import { fold, isTerminal, type JobEvent, type JobRecord, type JobState, type MessageId } from './index.js';

const id = (n: number): MessageId => ({ ms: 1_795_493_217_000 + n, sequence: 0, index: 0, last: true });
const at = 1_795_493_217_053;
const base = { jobId: 'job', at };
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
  returned: { ...base, kind: 'returned' },
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

const { submitted, queued, leased, returned, pending, running, succeeded, preempted, cancelled, duplicate } =
  EVENTS;
const retried = failed({ retryable: true, failure: { reason: 'first run' } });
const rejected = failed({ rejected: true, failure: { reason: 'does not fit' } });

describe('fold: the state table', () => {
  it.each<[string, JobEvent[], JobState]>([
    ['submitted makes a record', [submitted], 'SUBMITTED'],
    ['queued makes a record', [queued], 'QUEUED'],
    ['queued after submitted', [submitted, queued], 'QUEUED'],
    ['queued changes no later state', [running, queued], 'RUNNING'],
    ['submitted changes no later state', [leased, submitted], 'LEASED'],
    ['a lease that came back queues the job again', [running, returned], 'QUEUED'],
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

  it('an id that is not greater than the last one applied changes nothing', () => {
    const record = foldAll(submitted, leased);
    expect(fold(record, running, id(1))).toBe(record);
    expect(fold(record, running, id(0))).toBe(record);
    expect(fold(record, running, id(2)).state).toBe('RUNNING');
  });

  it('any event applies to a record without a message id: one that was learned', () => {
    const learned: JobRecord = { state: 'QUEUED', runNumber: 0, changedAt: at };
    expect(fold(learned, running, id(0)).state).toBe('RUNNING');
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

  it('the latest run only, counted', () => {
    const record = foldAll(leased, pending, running, retried, { ...leased, placement: { cluster: 'c2' } });
    expect(record).toMatchObject({ runNumber: 2, run: { cluster: 'c2', leasedAt: at } });
    expect(record?.run).not.toHaveProperty('node');
    expect(record?.failure).toEqual({ reason: 'first run' });
  });

  it('the reason of a preemption rather than of the failure it causes', () => {
    expect(foldAll(running, preempted, failed())?.failure?.reason).toBe('Preempted by other');
  });

  it('who cancelled and why', () => {
    expect(foldAll(running, cancelled)?.cancellation).toEqual({ reason: 'enough', requestor: 'alice' });
  });

  it('the time of the submission, whenever it is told', () => {
    expect(foldAll({ ...running, at: at + 5 }, submitted)).toMatchObject({
      submittedAt: at,
      changedAt: at + 5,
    });
  });
});
