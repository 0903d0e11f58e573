import { ArmadaTime, JobId, type JobState } from '@ajs/job-state';
import { ManualClock } from '@ajs/testing';
import { toJobResult, toV2Job } from '@ajs/wire-mapping';
import type { JobSetFeed } from '../changes/job-set-feed.js';
import { testCaller } from '../testing/test-caller.js';
import { JobWait } from './job-wait.js';
import { requestedJobs } from './requests.js';
import { KEY, refOf } from './testing/v2-harness.js';

const jobIn = (jobId: string, state: JobState) =>
  toJobResult(
    refOf(jobId),
    toV2Job(JobId(jobId), KEY, { state, runNumber: 1, changedAt: ArmadaTime(1) }, {}),
    undefined,
  );

it('a wait listens to the jobs that have not ended, and to none once its time is over', async () => {
  const clock = new ManualClock();
  const listening = new Set<string>();
  const feed = {
    listenTo: (jobId: JobId) => listening.add(jobId),
    stopListeningTo: (jobId: JobId) => listening.delete(jobId),
  } as unknown as JobSetFeed;
  const wait = new JobWait(
    {
      feeds: { of: () => feed },
      streams: { enter: () => undefined, leave: () => undefined },
      absent: { lookUpFor: () => () => undefined },
    },
    testCaller(),
    { count: 3, states: new Set<JobState>(['RUNNING']) },
    [jobIn('a', 'SUCCEEDED'), jobIn('b', 'RUNNING'), jobIn('c', 'QUEUED')],
    clock,
  );
  const answer = wait.within(1_000, requestedJobs(['a', 'b', 'c'].map((jobId) => refOf(jobId))));
  expect([...listening]).toEqual(['b', 'c']);
  clock.advance(1_000);
  expect((await answer).satisfied).toBe(false);
  expect([listening.size, clock.timers]).toEqual([0, 0]);
});
