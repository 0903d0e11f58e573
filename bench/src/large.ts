import { isTerminal } from '@ajs/job-state';
import { RedisJobLister } from '@ajs/job-store';
import { EVENTS_PER_JOB, jobSetOf } from './fake-events.js';
import { thousands, type Figure } from './figure.js';
import { followAll } from './following.js';
import { jobIdOf } from './jobs.js';
import { peakResidentKib } from './memory.js';
import { startStore } from './store.js';

const TARGET_GROWTH = 1.2;
const SAMPLED_JOBS = 1_000;

/** Following one very large job set, relative to one of half the size, which fills the ingester's cache as well. */
export async function benchLarge(quick: boolean): Promise<Figure[]> {
  const jobs = quick ? 60_000 : 200_000;
  const half = await follow(jobs / 2);
  const whole = await follow(jobs);
  const events = jobs * EVENTS_PER_JOB;
  const mib = (kib: number): string => `${(kib / 1_024).toFixed(0)} MiB`;
  return [
    {
      what: `one job set, ${thousands(jobs)} jobs, ${thousands(events)} events, from the first interest to the last terminal state`,
      measured: `${(whole.took / 1_000).toFixed(1)} s (${thousands((events * 1_000) / whole.took)} events/s)`,
      target: '',
    },
    {
      what: `jobs in a terminal state then, of a sample of ${thousands(SAMPLED_JOBS)}`,
      measured: thousands(whole.ended),
      target: 'all',
      met: whole.ended === SAMPLED_JOBS,
    },
    {
      what: 'peak memory of the ingester, relative to half the jobs and events',
      measured: `${mib(whole.peakKib)}, ${mib(half.peakKib)}: ${(whole.peakKib / half.peakKib).toFixed(2)} times`,
      target: `${TARGET_GROWTH} times at most`,
      met: whole.peakKib <= TARGET_GROWTH * half.peakKib,
    },
  ];
}

async function follow(jobs: number): Promise<{ took: number; peakKib: number; ended: number }> {
  const store = await startStore();
  try {
    const followed = await followAll(store, { jobSets: 1, jobs, running: 0 });
    try {
      const sampled = Array.from({ length: SAMPLED_JOBS }, (_, n) =>
        jobIdOf(Math.floor((n * jobs) / SAMPLED_JOBS)),
      );
      const { jobs: known } = await new RedisJobLister(store.redis).read(jobSetOf(0), sampled);
      const ended = Array.from(known.values()).filter(({ state }) => isTerminal(state)).length;
      return { took: followed.took, peakKib: peakResidentKib(followed.ingesterPid), ended };
    } finally {
      await followed.stop();
    }
  } finally {
    await store.stop();
  }
}
