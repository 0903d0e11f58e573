import { ArmadaTime, JobId, MonotonicTime, type JobState } from '@ajs/job-state';
import type { JobVersion } from '@ajs/job-store';
import { jobSetTag } from '@ajs/redis-keys';
import { encodeRef } from '@ajs/wire-mapping';
import { KnownJobs, isSettled, type ShownJob } from './known-jobs.js';
import { requestedJobs, type RequestedJob } from './requests.js';
import { byId, refOf } from './testing/v2-harness.js';

const shown = (size: number, state: JobState = 'SUCCEEDED'): ShownJob => ({
  tag: jobSetTag({ queue: 'q', jobSetId: 's' }),
  status: { state, changedAt: ArmadaTime(1) },
  version: { size: 0 } as JobVersion,
  readAt: MonotonicTime(0),
  encoded: new Uint8Array(size),
});
const [A, B, C] = requestedJobs([refOf('a'), refOf('b'), byId('a')]) as [
  RequestedJob,
  RequestedJob,
  RequestedJob,
];

it('knows a job by the ref that it was requested by, and by no other', () => {
  const known = new KnownJobs(10);
  known.keep(A, shown(1));
  known.keep(C, shown(2));
  expect(known.find(encodeRef(refOf('a')))).toEqual({ ...A, shown: shown(1) });
  expect(known.find(encodeRef(byId('a')))).toEqual({ ref: byId('a'), jobId: JobId('a'), shown: shown(2) });
  expect(known.find(encodeRef(refOf('a', { queue: 'q', jobSetId: 'other' })))).toBeUndefined();
  expect(known.find(encodeRef(refOf('b')))).toBeUndefined();
});

it.each([
  ['jobs than it has room for', 1, 1, 1],
  ['bytes than 1 KiB for each job, of what is encoded', 4, 3_000, 0],
  ['bytes than 1 KiB for each job, of what tells its version', 4, 0, 3_000],
])('keeps no more %s, and those that were requested last', (_, max, encoded, version) => {
  const known = new KnownJobs(max);
  for (const job of [A, B]) known.keep(job, { ...shown(encoded), version: { size: version } as JobVersion });
  expect(known.find(encodeRef(A.ref))).toBeUndefined();
  expect(known.find(encodeRef(B.ref))).toBeDefined();
});

it('gives a job that has ended for a minute without reading it: its details may become known after its end', () => {
  const readAt = MonotonicTime(1_000);
  expect(isSettled({ ...shown(1), readAt }, MonotonicTime(60_999))).toBe(true);
  expect(isSettled({ ...shown(1), readAt }, MonotonicTime(61_000))).toBe(false);
  expect(isSettled({ ...shown(1, 'RUNNING'), readAt }, readAt)).toBe(false);
});
