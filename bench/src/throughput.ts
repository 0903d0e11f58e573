import { EVENTS_PER_JOB, type FakeEvents } from './fake-events.js';
import { median, thousands, type Figure } from './figure.js';
import { followAll } from './following.js';
import { startStore } from './store.js';

const AIM = 30_000;

/** From the first demand until the last state is readable: events a second through one ingester. */
export async function benchThroughput(quick: boolean): Promise<Figure[]> {
  const one = { jobSets: 1, jobs: quick ? 2_000 : 50_000, running: 0 };
  const hundred = { jobSets: 100, jobs: quick ? 50 : 1_000, running: 0 };
  const speeds = { one: [] as number[], hundred: [] as number[] };
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    speeds.one.push(await eventsPerSecond(one));
    speeds.hundred.push(await eventsPerSecond(hundred));
  }
  return [
    { what: `events from 1 job set to Redis${sizeOf(one)}`, measured: told(speeds.one), aim: '' },
    {
      what: `events from 100 job sets to Redis${sizeOf(hundred)}`,
      measured: told(speeds.hundred),
      aim: `${thousands(AIM)}/s`,
      met: median(speeds.hundred) >= AIM,
    },
  ];
}

async function eventsPerSecond(events: FakeEvents): Promise<number> {
  const store = await startStore();
  try {
    const followed = await followAll(store, events);
    await followed.stop();
    return (events.jobSets * events.jobs * EVENTS_PER_JOB * 1000) / followed.took;
  } finally {
    await store.stop();
  }
}

const sizeOf = ({ jobSets, jobs }: FakeEvents): string =>
  `, ${thousands(jobSets * jobs * EVENTS_PER_JOB)} events`;

function told(speeds: readonly number[]): string {
  const range = `${thousands(Math.min(...speeds))} to ${thousands(Math.max(...speeds))}`;
  return `${thousands(median(speeds))}/s${speeds.length > 1 ? ` (${range} in ${speeds.length} rounds)` : ''}`;
}
