import { Cursor, JobId, ArmadaTime, type JobRecord, type JobSetKey, type JobState } from '@ajs/job-state';
import type { JobSetChanges } from '../change-ports.js';
import type {
  DetailedJob,
  Batch,
  JobDetailsLister,
  JobLister,
  JobSetLife,
  JobSink,
  ProvisionalJob,
  ProvisionalJobSink,
  ReadJob,
} from '../ports.js';

import type { JobSetLister } from '../listing-ports.js';

export interface StoreUnderTest {
  readonly sink: JobSink;
  readonly lister: JobLister & JobDetailsLister;
  readonly jobSets: JobSetLister;
  /** The name under which {@link sink} owns job sets. */
  readonly owner: string;
  readonly provisional: ProvisionalJobSink;
  readonly life: JobSetLife;
  readonly changes: JobSetChanges;
  /** How many jobs of a job set are in each state, as the store counts them; states without jobs are left out. */
  readonly counts: (key: JobSetKey) => Promise<Partial<Record<JobState, number>>>;
  /** How many terminal records would have been replaced so far; left out by a store that does not count them. */
  readonly kept?: () => number;
  /** Lets this much time pass for the store; one on a real clock waits until its clock says so. */
  readonly pass: (ms: number) => Promise<void>;
}

export const LIVE = { state: 'live', reason: '' } as const;
let sets = 0;
let ids = 0;

/** A job set that no other test uses, with names that need escaping. */
export const aJobSet = (): JobSetKey => ({ queue: `q/{${++sets}}`, jobSetId: 'set:%7B{a}/b' });
const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

/** A ULID in Armada's form, whose last bits are spread as those of real ones: by them the store finds its place. */
export const aJobId = (): JobId => {
  const chance = (++ids * 2_654_435_761) % 2 ** 32;
  const digits = Array.from({ length: 7 }, (_, i) => CROCKFORD[Math.floor(chance / 32 ** i) % 32]);
  return JobId(`01m85vnck01jqpr3vd0${digits.reverse().join('')}`);
};

/** What a status has for its revision, whichever that is. */
export const A_REVISION = expect.any(Number) as number;

export const AT = ArmadaTime(1_795_493_217_053);

export const LAST_EVENT = { ms: 1_795_493_217_053, sequence: 0, index: 0, last: true };

export function aRecord(state: JobState, more: Partial<JobRecord> = {}): JobRecord {
  return { state, runNumber: 1, changedAt: AT, ...more };
}

export function aBatch(cursor: string, records: Record<string, JobRecord>, more: Partial<Batch> = {}): Batch {
  const byId = Object.entries(records).map(([jobId, record]) => [JobId(jobId), record] as const);
  return { cursor: Cursor(cursor), records: new Map(byId), subscription: LIVE, ...more };
}

/** A record with every field that a writer is given back. */
export const FULL: JobRecord = {
  state: 'PREEMPTED',
  lastEvent: { ms: 1_795_493_217_053, sequence: 3, index: 12, last: true },
  runNumber: 300,
  failedRuns: 299,
  run: {
    cluster: 'cluster-1',
    pool: 'default',
    node: 'node-7.example.com',
    podName: 'a pod named by hand',
    podNamespace: 'ns',
    leasedAt: ArmadaTime(1_795_493_200_000),
    pendingAt: ArmadaTime(1_795_493_201_000),
    runningAt: ArmadaTime(1_795_493_100_000),
    endedAt: ArmadaTime(1_795_999_217_053),
    outcome: 'expired',
  },
  submittedAt: ArmadaTime(1_795_000_000_000),
  changedAt: ArmadaTime(1_795_999_217_053),
  namespace: 'personal-anonymous',
  failure: {
    reason: 'preempted by ünïcode',
    category: 'c',
    subcategory: 's',
    exitCodes: { main: 137, side: 0 },
    exitReasons: { main: 'OOMKilled' },
  },
  cancellation: { reason: 'no longer wanted', requestor: 'alice' },
};

/** Jobs as they are shown in every other way than by a read that says which version it saw. */
export const shownIn = (jobs: ReadonlyMap<JobId, ReadJob>): Map<JobId, DetailedJob> =>
  new Map(Array.from(jobs, ([jobId, { version: _, ...job }]) => [jobId, job]));

/** A provisional job. */
export const queued = (jobId: JobId, more: Partial<ProvisionalJob> = {}): ProvisionalJob => ({
  jobId,
  state: 'QUEUED',
  changedAt: AT,
  ...more,
});
