import { isTerminal } from '@ajs/job-state';
import { RedisJobLister } from '@ajs/job-store';
import { EVENTS_PER_JOB, jobSetOf } from './fake-events.js';
import { thousands, type Figure } from './figure.js';
import { followAll } from './following.js';
import { jobIdOf } from './jobs.js';
import { peakResidentKib } from './memory.js';
import { startStore } from './store.js';

const AIM_GROWTH = 1.2;
const SAMPLED_JOBS = 1_000;

/** One job set with very many jobs: what it takes to follow, against one of half as many, which fills the ingester's cache as well. */
export async function benchLarge(quick: boolean): Promise<Figure[]> {
  const jobs = quick ? 60_000 : 200_000;
  const half = await follow(jobs / 2);
  const whole = await follow(jobs);
  const events = jobs * EVENTS_PER_JOB;
  const mib = (kib: number): string => `${(kib / 1_024).toFixed(0)} MiB`;
  return [
    {
      what: `one job set, ${thousands(jobs)} jobs, ${thousands(events)} events, from the first demand to the last end`,
      measured: `${(whole.took / 1_000).toFixed(1)} s (${thousands((events * 1_000) / whole.took)} events/s)`,
      aim: '',
    },
    {
      what: `jobs whose end is known then, of ${thousands(SAMPLED_JOBS)} looked at`,
      measured: thousands(whole.ended),
      aim: 'all',
      met: whole.ended === SAMPLED_JOBS,
    },
    {
      what: 'most memory of the ingester, against half the jobs and events',
      measured: `${mib(whole.peakKib)}, ${mib(half.peakKib)}: ${(whole.peakKib / half.peakKib).toFixed(2)} times`,
      aim: `${AIM_GROWTH} times at most`,
      met: whole.peakKib <= AIM_GROWTH * half.peakKib,
    },
  ];
}

async function follow(jobs: number): Promise<{ took: number; peakKib: number; ended: number }> {
  const store = await startStore();
  try {
    const followed = await followAll(store, { jobSets: 1, jobs, running: 0 });
    try {
      const asked = Array.from({ length: SAMPLED_JOBS }, (_, n) =>
        jobIdOf(Math.floor((n * jobs) / SAMPLED_JOBS)),
      );
      const { jobs: known } = await new RedisJobLister(store.redis).read(jobSetOf(0), asked);
      const ended = Array.from(known.values()).filter(({ state }) => isTerminal(state)).length;
      return { took: followed.took, peakKib: peakResidentKib(followed.ingesterPid), ended };
    } finally {
      await followed.stop();
    }
  } finally {
    await store.stop();
  }
}
