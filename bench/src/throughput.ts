import { EVENTS_PER_JOB, type FakeEvents } from './fake-events.js';
import { median, thousands, type Figure } from './figure.js';
import { followAll } from './following.js';
import { startStore } from './store.js';

const TARGET = 30_000;

/** Events per second through one ingester, from the first interest until the last state is readable. */
export async function benchThroughput(quick: boolean): Promise<Figure[]> {
  const one = { jobSets: 1, jobs: quick ? 2_000 : 50_000, running: 0 };
  const hundred = { jobSets: 100, jobs: quick ? 50 : 1_000, running: 0 };
  const speeds = { one: [] as number[], hundred: [] as number[] };
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    speeds.one.push(await eventsPerSecond(one));
    speeds.hundred.push(await eventsPerSecond(hundred));
  }
  return [
    { what: `events from 1 job set to Redis${sizeOf(one)}`, measured: show(speeds.one), target: '' },
    {
      what: `events from 100 job sets to Redis${sizeOf(hundred)}`,
      measured: show(speeds.hundred),
      target: `${thousands(TARGET)}/s`,
      met: median(speeds.hundred) >= TARGET,
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

function show(speeds: readonly number[]): string {
  const range = `${thousands(Math.min(...speeds))} to ${thousands(Math.max(...speeds))}`;
  return `${thousands(median(speeds))}/s${speeds.length > 1 ? ` (${range} in ${speeds.length} rounds)` : ''}`;
}
