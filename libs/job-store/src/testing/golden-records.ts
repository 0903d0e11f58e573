import { JobId, ArmadaTime, type JobRecord } from '@ajs/job-state';

/** The job of all golden records. */
export const JOB_ID = JobId('01m85vnck01jqpr3vd00000001');
const AT = 1_795_493_217_053;

/**
 * Records in every state and with every field, as the stored layouts have them, byte by byte: names that many jobs share are number 0
 * of the string dictionary, and the records of layout 2 and later were changed last by revision 300. Layouts 3 and 4 have layout 2's bytes
 * for all that layout 2 could hold, and more fields behind them. A line is never changed or removed: such records may be stored.
 */
const ROWS: readonly (readonly [
  name: string,
  fields: Partial<JobRecord>,
  /** Left out where layout 1 could not hold the record. */
  layout1: string | undefined,
  layout2: string,
])[] = [
  ['state SUBMITTED', { state: 'SUBMITTED' }, '000001ba8ce2bbc168', '20ac020001ba8ce2bbc168'],
  ['state QUEUED', { state: 'QUEUED' }, '010001ba8ce2bbc168', '21ac020001ba8ce2bbc168'],
  ['state LEASED', { state: 'LEASED' }, '020001ba8ce2bbc168', '22ac020001ba8ce2bbc168'],
  ['state PENDING', { state: 'PENDING' }, '030001ba8ce2bbc168', '23ac020001ba8ce2bbc168'],
  ['state RUNNING', { state: 'RUNNING' }, '040001ba8ce2bbc168', '24ac020001ba8ce2bbc168'],
  ['state SUCCEEDED', { state: 'SUCCEEDED' }, '850001ba8ce2bbc168', 'a5ac020001ba8ce2bbc168'],
  ['state FAILED', { state: 'FAILED' }, '860001ba8ce2bbc168', 'a6ac020001ba8ce2bbc168'],
  ['state CANCELLED', { state: 'CANCELLED' }, '870001ba8ce2bbc168', 'a7ac020001ba8ce2bbc168'],
  ['state PREEMPTED', { state: 'PREEMPTED' }, '880001ba8ce2bbc168', 'a8ac020001ba8ce2bbc168'],
  ['state REJECTED', { state: 'REJECTED' }, '890001ba8ce2bbc168', 'a9ac020001ba8ce2bbc168'],
  ['state DUPLICATE_FOUND', { state: 'DUPLICATE_FOUND' }, '8a0001ba8ce2bbc168', 'aaac020001ba8ce2bbc168'],
  [
    'the last event',
    { lastEvent: { ms: AT + 1, sequence: 3, index: 12, last: true } },
    '040101ba8ce2bbc168020319',
    '24ac020101ba8ce2bbc168020319',
  ],
  [
    'submittedAt',
    { submittedAt: ArmadaTime(AT - 1000) },
    '040201ba8ce2bbc168cf0f',
    '24ac020201ba8ce2bbc168cf0f',
  ],
  ['namespace', { namespace: 'default' }, '040801ba8ce2bbc16800', '24ac020801ba8ce2bbc16800'],
  ['a run of which nothing is known', { run: {} }, '040401ba8ce2bbc168', '24ac020401ba8ce2bbc168'],
  [
    'run.leasedAt',
    { run: { leasedAt: ArmadaTime(AT + 5) } },
    '04840101ba8ce2bbc1680a',
    '24ac02840101ba8ce2bbc1680a',
  ],
  [
    'run.pendingAt',
    { run: { pendingAt: ArmadaTime(AT + 5) } },
    '04840201ba8ce2bbc1680a',
    '24ac02840201ba8ce2bbc1680a',
  ],
  [
    'run.runningAt',
    { run: { runningAt: ArmadaTime(AT + 5) } },
    '04840401ba8ce2bbc1680a',
    '24ac02840401ba8ce2bbc1680a',
  ],
  [
    'run.endedAt',
    { run: { endedAt: ArmadaTime(AT + 5) } },
    '04840801ba8ce2bbc1680a',
    '24ac02840801ba8ce2bbc1680a',
  ],
  ['run.cluster', { run: { cluster: 'a' } }, '04841001ba8ce2bbc16800', '24ac02841001ba8ce2bbc16800'],
  ['run.pool', { run: { pool: 'a' } }, '04842001ba8ce2bbc16800', '24ac02842001ba8ce2bbc16800'],
  ['run.node', { run: { node: 'a' } }, '04844001ba8ce2bbc16800', '24ac02844001ba8ce2bbc16800'],
  [
    'run.podNamespace',
    { run: { podNamespace: 'a' } },
    '0484800101ba8ce2bbc16800',
    '24ac0284800101ba8ce2bbc16800',
  ],
  [
    "a pod name in Armada's form",
    { run: { podName: `armada-${JOB_ID}-7` } },
    '041401ba8ce2bbc16807',
    '24ac021401ba8ce2bbc16807',
  ],
  [
    'a pod name of another form',
    { run: { podName: 'my-pod' } },
    '042401ba8ce2bbc16800',
    '24ac022401ba8ce2bbc16800',
  ],
  [
    'the outcome failed',
    { run: { outcome: 'failed' } },
    '0484800201ba8ce2bbc16800',
    '24ac0284800201ba8ce2bbc16800',
  ],
  [
    'the outcome preempted',
    { run: { outcome: 'preempted' } },
    '0484800201ba8ce2bbc16801',
    '24ac0284800201ba8ce2bbc16801',
  ],
  [
    'the outcome returned',
    { run: { outcome: 'returned' } },
    '0484800201ba8ce2bbc16802',
    '24ac0284800201ba8ce2bbc16802',
  ],
  [
    'the outcome expired',
    { run: { outcome: 'expired' } },
    '0484800201ba8ce2bbc16803',
    '24ac0284800201ba8ce2bbc16803',
  ],
  ['a preemption', { run: { preempted: 'p' } }, '444401ba8ce2bbc168', '64ac024401ba8ce2bbc168'],
  [
    'a failure',
    { state: 'FAILED', failure: { reason: 'exit 7' } },
    'c60001ba8ce2bbc168',
    'e6ac020001ba8ce2bbc168',
  ],
  [
    'a cancellation',
    { state: 'CANCELLED', cancellation: { reason: 'r', requestor: 'u' } },
    'c70001ba8ce2bbc168',
    'e7ac020001ba8ce2bbc168',
  ],
  [
    'every field at once',
    {
      state: 'PREEMPTED',
      runNumber: 300,
      lastEvent: { ms: AT, sequence: 0, index: 0, last: true },
      submittedAt: ArmadaTime(AT - 60_000),
      namespace: 'a',
      run: {
        cluster: 'a',
        pool: 'a',
        node: 'a',
        podName: `armada-${JOB_ID}-7`,
        podNamespace: 'a',
        leasedAt: ArmadaTime(AT - 50_000),
        pendingAt: ArmadaTime(AT - 40_000),
        runningAt: ArmadaTime(AT - 30_000),
        endedAt: ArmadaTime(AT),
        outcome: 'preempted',
        preempted: 'p',
      },
    },
    'c8dfff03ac02ba8ce2bbc168000001bfa90700a09c01a09c01a09c01e0d403000000000701',
    'e8ac02dfff03ac02ba8ce2bbc168000001bfa90700a09c01a09c01a09c01e0d403000000000701',
  ],
  ['a reported state', { reported: {} }, undefined, '24ac0280800401ba8ce2bbc168'],
  [
    'a state reported in a run',
    { run: { endedAt: ArmadaTime(AT + 5) }, reported: { leasedAt: ArmadaTime(AT + 4) } },
    undefined,
    '24ac0284880c01ba8ce2bbc1680a01',
  ],
  ['failed runs', { failedRuns: 130 }, undefined, '24ac0280801001ba8ce2bbc1688201'],
];

interface GoldenRecord {
  readonly name: string;
  readonly record: JobRecord;
  readonly layout1?: Buffer;
  readonly layout2: Buffer;
}

export const GOLDEN_RECORDS: readonly GoldenRecord[] = ROWS.map(([name, fields, layout1, layout2]) => ({
  name,
  record: { state: 'RUNNING', runNumber: 1, changedAt: ArmadaTime(AT), ...fields },
  ...(layout1 !== undefined && { layout1: Buffer.from(layout1, 'hex') }),
  layout2: Buffer.from(layout2, 'hex'),
}));
