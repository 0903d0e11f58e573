import { Job } from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, JobId } from '@ajs/job-state';
import { jobSetTag } from '@ajs/redis-keys';
import { ManualClock } from '@ajs/testing';
import { toV2Job } from '@ajs/wire-mapping';
import { EndedJobs } from './ended-jobs.js';

const KEY = { queue: 'q', jobSetId: 's' };
const TAG = jobSetTag(KEY);
const [A, B] = [JobId('a'), JobId('b')];

const job = (jobId: JobId): Job =>
  toV2Job(jobId, KEY, { state: 'SUCCEEDED', runNumber: 0, changedAt: ArmadaTime(1) }, {});

it('gives a job, as it is encoded, for its own job set alone', () => {
  const ended = new EndedJobs(10);
  ended.add(TAG, A, job(A));
  expect(ended.of(TAG, [A, B])).toEqual(new Map([[A, Job.encode(job(A)).finish()]]));
  expect(ended.of(jobSetTag({ ...KEY, jobSetId: 'other' }), [A]).size).toBe(0);
});

it('keeps a job for a minute: its details may become known after its end', () => {
  const clock = new ManualClock();
  const ended = new EndedJobs(10, () => clock.monotonic());
  ended.add(TAG, A, job(A));
  clock.advance(59_999);
  expect(ended.of(TAG, [A]).size).toBe(1);
  clock.advance(1);
  expect(ended.of(TAG, [A]).size).toBe(0);
});

it('keeps no more jobs than it has room for, and those that were asked for last', () => {
  const ended = new EndedJobs(1);
  for (const jobId of [A, B]) ended.add(TAG, jobId, job(jobId));
  expect([...ended.of(TAG, [A, B]).keys()]).toEqual([B]);
});
