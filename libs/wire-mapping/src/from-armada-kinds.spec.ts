import {
  Cause,
  ContainerStatus,
  JobCancelledEvent,
  JobDuplicateFoundEvent,
  JobFailedEvent,
  JobLeaseReturnedEvent,
  JobLeasedEvent,
  JobPendingEvent,
  JobPreemptedEvent,
  JobRunningEvent,
  JobSubmittedEvent,
  JobSucceededEvent,
  JobUnableToScheduleEvent,
  type EventMessage,
} from '@ajs/contracts/api/event';
import { Job } from '@ajs/contracts/api/submit';
import { JobId, MAX_ID_BYTES, type Failure, type JobEvent } from '@ajs/job-state';
import { LONGEST_EXTERNAL_URI, LONGEST_NAME, LONGEST_REASON, MOST_CONTAINERS } from './bounds.js';
import { EXTERNAL_URI_ANNOTATION, toStreamMessage, type Mapped } from './index.js';

type Oneof = NonNullable<EventMessage['events']>;

const NOTHING = new Uint8Array();
const ID = '1795493217053:0:3:1';
const base = { jobId: '01m85vrgp7whz55kx8f03d6510', jobSetId: 's', queue: 'q', created: undefined };
const COMMON = { jobId: base.jobId, at: 1_795_493_217_053 };

const map = (events: Oneof, id = ID): Mapped => toStreamMessage({ id, message: { events } });

function eventOf(events: Oneof): JobEvent | undefined {
  const mapped = map(events);
  return mapped.kind === 'message' ? mapped.message.event : undefined;
}

function failureOf(value: JobFailedEvent): Failure {
  const event = eventOf({ $case: 'failed', value });
  if (event?.kind !== 'failed') throw new Error('no failure');
  return event.failure;
}

const pod = { clusterId: 'c', podName: 'pod-1', podNamespace: 'ns' };
const PLACED = { cluster: 'c', podName: 'pod-1', podNamespace: 'ns' };
const job = Job.decode(NOTHING);
const failed = { ...JobFailedEvent.decode(NOTHING), ...base };

/** What an event says with every field filled, and with none. */
const KINDS: [Oneof, says: object, Oneof, saysOfNothing: object][] = [
  [
    {
      $case: 'submitted',
      value: {
        ...base,
        job: { ...job, namespace: 'ns', annotations: { [EXTERNAL_URI_ANNOTATION]: 'airflow://x' } },
      },
    },
    { kind: 'submitted', namespace: 'ns', externalUri: 'airflow://x' },
    {
      $case: 'submitted',
      value: { ...base, job: { ...job, annotations: { [EXTERNAL_URI_ANNOTATION]: '' } } },
    },
    { kind: 'submitted' },
  ],
  [
    { $case: 'queued', value: base },
    { kind: 'queued' },
    { $case: 'submitted', value: { ...JobSubmittedEvent.decode(NOTHING), ...base } },
    { kind: 'submitted' },
  ],
  [
    { $case: 'leased', value: { ...base, clusterId: 'c', pool: 'p' } },
    { kind: 'leased', placement: { cluster: 'c', pool: 'p' } },
    { $case: 'leased', value: { ...JobLeasedEvent.decode(NOTHING), ...base } },
    { kind: 'leased', placement: {} },
  ],
  [
    { $case: 'pending', value: { ...JobPendingEvent.decode(NOTHING), ...base, ...pod, pool: 'p' } },
    { kind: 'pending', placement: { ...PLACED, pool: 'p' } },
    { $case: 'pending', value: { ...JobPendingEvent.decode(NOTHING), ...base } },
    { kind: 'pending', placement: {} },
  ],
  [
    {
      $case: 'running',
      value: { ...JobRunningEvent.decode(NOTHING), ...base, ...pod, pool: 'p', nodeName: 'n' },
    },
    { kind: 'running', placement: { ...PLACED, pool: 'p', node: 'n' } },
    { $case: 'running', value: { ...JobRunningEvent.decode(NOTHING), ...base } },
    { kind: 'running', placement: {} },
  ],
  [
    { $case: 'succeeded', value: { ...JobSucceededEvent.decode(NOTHING), ...base, ...pod, nodeName: 'n' } },
    { kind: 'succeeded', placement: { ...PLACED, node: 'n' } },
    { $case: 'succeeded', value: { ...JobSucceededEvent.decode(NOTHING), ...base } },
    { kind: 'succeeded', placement: {} },
  ],
  [
    {
      $case: 'failed',
      value: {
        ...failed,
        ...pod,
        nodeName: 'n',
        reason: 'exit 7',
        retryable: true,
        cause: Cause.Rejected,
        failureCategory: 'user',
        failureSubcategory: 'code',
        exitCodes: { main: 7 },
      },
    },
    {
      kind: 'failed',
      retryable: true,
      rejected: true,
      failure: { reason: 'exit 7', category: 'user', subcategory: 'code', exitCodes: { main: 7 } },
      placement: { ...PLACED, node: 'n' },
    },
    { $case: 'failed', value: failed },
    { kind: 'failed', retryable: false, rejected: false, failure: { reason: '' }, placement: {} },
  ],
  [
    { $case: 'preempted', value: { ...JobPreemptedEvent.decode(NOTHING), ...base, reason: 'r' } },
    { kind: 'preempted', reason: 'r' },
    { $case: 'preempted', value: { ...JobPreemptedEvent.decode(NOTHING), ...base } },
    { kind: 'preempted', reason: '' },
  ],
  [
    { $case: 'cancelled', value: { ...base, reason: 'enough', requestor: 'alice' } },
    { kind: 'cancelled', reason: 'enough', requestor: 'alice' },
    { $case: 'cancelled', value: { ...JobCancelledEvent.decode(NOTHING), ...base } },
    { kind: 'cancelled', reason: '', requestor: '' },
  ],
  [
    { $case: 'duplicateFound', value: { ...base, originalJobId: 'other' } },
    { kind: 'duplicate-found', originalJobId: 'other' },
    { $case: 'duplicateFound', value: { ...JobDuplicateFoundEvent.decode(NOTHING), ...base } },
    { kind: 'duplicate-found', originalJobId: '' },
  ],
  [
    {
      $case: 'leaseReturned',
      value: { ...JobLeaseReturnedEvent.decode(NOTHING), ...base, reason: 'r', runAttempted: true },
    },
    { kind: 'returned', expired: false, attempted: true },
    { $case: 'leaseReturned', value: { ...JobLeaseReturnedEvent.decode(NOTHING), ...base } },
    { kind: 'returned', expired: false, attempted: false },
  ],
  [
    {
      $case: 'unableToSchedule',
      value: { ...JobUnableToScheduleEvent.decode(NOTHING), ...base, reason: 'r' },
    },
    { kind: 'returned', expired: false, attempted: true },
    { $case: 'leaseExpired', value: base },
    { kind: 'returned', expired: true, attempted: true },
  ],
];

describe('an event of Armada', () => {
  it.each(
    KINDS.map(
      ([filled, says, empty, saysOfNothing]) => [filled.$case, filled, says, empty, saysOfNothing] as const,
    ),
  )('says all that it holds, and nothing of what is empty: %s', (_, filled, says, empty, saysOfNothing) => {
    expect(eventOf(filled)).toStrictEqual({ ...COMMON, ...says });
    expect(eventOf(empty)).toStrictEqual({ ...COMMON, ...saysOfNothing });
  });

  it.each(KINDS.map(([filled]) => [filled.$case, filled] as const))(
    'keeps of each of its texts as much as is kept of such a text: %s',
    (_, { $case, value }) => {
      const long = { ...(withLongTexts(value) as object), jobId: base.jobId };
      for (const [name, text] of textsOf(eventOf({ $case, value: long } as Oneof))) {
        if (name === 'kind' || name === 'jobId') continue;
        const longest =
          name === 'reason' ? LONGEST_REASON : name === 'externalUri' ? LONGEST_EXTERNAL_URI : LONGEST_NAME;
        expect([name, text.length]).toEqual([name, longest]);
      }
    },
  );

  it.each<Oneof['$case']>([
    'reprioritizing',
    'reprioritized',
    'cancelling',
    'preempting',
    'utilisation',
    'ingressInfo',
    'terminated',
    'updated',
  ])('says nothing of a state, whether or not it names a job: %s', ($case) => {
    for (const jobId of [base.jobId, '']) {
      expect(map({ $case, value: { ...base, jobId } } as unknown as Oneof)).toStrictEqual({
        kind: 'message',
        message: { cursor: ID, id: expect.anything() as object },
      });
    }
  });

  it('names a job by the longest id that Armada can have, and not by one more character', () => {
    const running = { ...JobRunningEvent.decode(NOTHING), ...base };
    const ofLength = (length: number): Mapped =>
      map({ $case: 'running', value: { ...running, jobId: 'x'.repeat(length) } });
    expect([ofLength(MAX_ID_BYTES).kind, ofLength(MAX_ID_BYTES + 1).kind]).toEqual(['message', 'malformed']);
  });

  it('keeps how so many containers ended, by names and with reasons of bounded length', () => {
    const tooLong = 'x'.repeat(LONGEST_NAME + 1);
    const containers = Array.from({ length: MOST_CONTAINERS + 1 }, (_, n) => `${n}${tooLong}`);
    const statusOf = (name: string) => ({
      name,
      exitCode: 1,
      message: tooLong,
      reason: tooLong,
      cause: Cause.OOM,
    });
    for (const value of [
      { ...failed, exitCodes: Object.fromEntries(containers.map((name) => [name, 1])) },
      { ...failed, containerStatuses: containers.map(statusOf) },
    ]) {
      const { exitCodes = {}, exitReasons } = failureOf(value);
      expect(Object.keys(exitCodes)).toHaveLength(MOST_CONTAINERS);
      for (const name of Object.keys(exitCodes)) expect(name).toHaveLength(LONGEST_NAME);
      for (const reason of Object.values(exitReasons ?? {})) expect(reason).toHaveLength(LONGEST_NAME);
    }
  });

  it('has the reasons of those containers that Kubernetes gave one for', () => {
    const statusOf = (name: string, exitCode: number, reason: string) => ({
      ...ContainerStatus.decode(NOTHING),
      name,
      exitCode,
      reason,
    });
    const containerStatuses = [statusOf('main', 137, 'OOMKilled'), statusOf('side', 0, '')];
    // Servers that send both say the same twice, and more here.
    expect(failureOf({ ...failed, containerStatuses, exitCodes: { main: 137 } })).toEqual({
      reason: '',
      exitCodes: { main: 137, side: 0 },
      exitReasons: { main: 'OOMKilled' },
    });
  });

  it('whose place in the stream is not known is named by the beginning of its id', () => {
    const id = `${'y'.repeat(64)}z`;
    expect(map({ $case: 'queued', value: base }, id)).toEqual({
      kind: 'unreadable',
      reason: `"${'y'.repeat(64)}" is not a message id`,
    });
  });

  it('finds a job’s external URI by Armada’s annotation', () => {
    expect(EXTERNAL_URI_ANNOTATION).toBe('armadaproject.io/externalJobUri');
  });

  it('is of the job that it names', () => {
    expect(eventOf({ $case: 'queued', value: base })?.jobId).toBe(JobId(base.jobId));
  });
});

/** The message with a long text in the place of each one in it. */
function withLongTexts(value: unknown): unknown {
  if (typeof value === 'string') return 'x'.repeat(5_000);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withLongTexts(each)]));
}

/** Every text in it, by the name of its field. */
function textsOf(value: unknown, name = ''): [name: string, text: string][] {
  if (typeof value === 'string') return [[name, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, each]) => textsOf(each, field));
}
