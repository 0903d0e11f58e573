import { WaitCondition, type WaitForJobsRequest } from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, JobId, type JobState } from '@ajs/job-state';
import { toJobResult, toV2Job } from '@ajs/wire-mapping';
import type { JobSetFeed } from '../changes/job-set-feed.js';
import { testCaller } from '../testing/test-caller.js';
import { JobWaiter } from './job-waiter.js';
import { KEY, refOf } from './testing/v2-harness.js';

const jobIn = (state: JobState) =>
  toJobResult(
    refOf('a'),
    toV2Job(JobId('a'), KEY, { state, runNumber: 1, changedAt: ArmadaTime(1) }, {}),
    undefined,
  );

const MAX_WAIT_MS = 600_000;

/** Calls that were opened, and not answered by what was read. */
let opened: number;
beforeEach(() => {
  opened = 0;
});

const waitFor = (state: JobState, request: Partial<WaitForJobsRequest>, maxWaitMs = MAX_WAIT_MS) => {
  const feed = { listenTo: () => undefined, stopListeningTo: () => undefined } as unknown as JobSetFeed;
  const waiter = new JobWaiter({
    results: { run: () => Promise.resolve([jobIn(state)]) },
    feeds: { of: () => feed },
    streams: { enter: () => opened++, leave: () => undefined },
    absent: { lookUpFor: () => () => undefined },
    maxWaitMs,
  });
  const defaults = {
    refs: [refOf('a')],
    condition: WaitCondition.WAIT_CONDITION_ALL,
    states: [],
    count: 0,
    maxWait: undefined,
  };
  return waiter.waitForJobs({ ...defaults, ...request }, testCaller());
};

it.each<[string, Partial<WaitForJobsRequest>, maxWaitMs: number]>([
  ['the request allows no wait', { maxWait: { seconds: '0', nanos: 0 } }, MAX_WAIT_MS],
  [
    'the first read took all the time that the request allows',
    { maxWait: { seconds: '0', nanos: 1 } },
    MAX_WAIT_MS,
  ],
  ['this service allows no wait, whatever the request does', { maxWait: { seconds: '60', nanos: 0 } }, 0],
])('a wait is answered by what was read, and takes no place, where %s', async (_, request, maxWaitMs) => {
  expect((await waitFor('RUNNING', request, maxWaitMs)).satisfied).toBe(false);
  expect(opened).toBe(0);
});

it('a wait may be for as many jobs as it names, and for no more', async () => {
  expect((await waitFor('SUCCEEDED', { count: 1 })).satisfied).toBe(true);
  await expect(waitFor('SUCCEEDED', { count: 2 })).rejects.toThrow('count is 2, more than the 1 refs');
});
