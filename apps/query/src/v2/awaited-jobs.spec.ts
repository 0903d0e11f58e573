import { JobId } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import { Generation } from '@ajs/redis-keys';
import type { JobListener } from '../changes/job-listeners.js';
import type { JobSetFeed } from '../changes/job-set-feed.js';
import { testCaller } from '../testing/test-caller.js';
import { AwaitedJobs } from './awaited-jobs.js';

const KEY = { queue: 'q', jobSetId: 's' };
const A = JobId('a');

it('a job that is named once more while it is awaited is reported for that name, too', () => {
  const told: [place: number, revision: number][] = [];
  const job: ChangedJob = { jobId: A, generation: Generation('g'), revision: 7 };
  // As a feed does that follows: it reports the job as it is whenever somebody begins to listen to it.
  const feed = { listenTo: (_: JobId, listener: JobListener) => listener.job(job) } as unknown as JobSetFeed;
  const heard = (place: number, { revision }: ChangedJob) => told.push([place, revision]);
  const jobs = new AwaitedJobs({ of: () => feed }, { caller: testCaller(), heard });
  jobs.add(0, { key: KEY, jobId: A });
  jobs.add(1, { key: KEY, jobId: A });
  expect(told).toEqual([
    [0, 7],
    [1, 7],
  ]);
});
