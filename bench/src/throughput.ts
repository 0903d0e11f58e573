import { EVENTS_PER_JOB, type FakeEvents } from './fake-events.js';
import { median, thousands, type Figure } from './figure.js';
import { followAll } from './following.js';
import { readingAlone } from './reading.js';
import { startStore, type Store } from './store.js';

/** Of reading alone. */
const TARGET = 0.5;

interface Round {
  readonly eventsPerSecond: number;
  /** Events that a process reads, and does nothing else, per second. */
  readonly readPerSecond: number;
  /** Scripts of all kinds: those that read, heartbeats, the job index and BullMQ's own, too. */
  readonly eventsPerScript: number;
  /** Those that scripts call included. */
  readonly commandsPerEvent: number;
  /** Processor time per event, in microseconds. */
  readonly cpu: { readonly ingester: number; readonly redis: number; readonly reader: number };
}

/** Events per second through one ingester, from the first interest until the last state is readable, beside reading alone. */
export async function benchThroughput(quick: boolean): Promise<Figure[]> {
  const cases: FakeEvents[] = [
    { jobSets: 1, jobs: 20_000, running: 0 },
    { jobSets: 100, jobs: 300, running: 0 },
    { jobSets: 1_000, jobs: 30, running: 0 },
  ];
  const rounds = cases.map((): Round[] => []);
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const [i, events] of cases.entries()) rounds[i]?.push(await measure(events));
  }
  return cases.map((events, i) => figureOf(events, rounds[i] ?? []));
}

async function measure(events: FakeEvents): Promise<Round> {
  const store = await startStore();
  try {
    const commandsBefore = await commands(store);
    const followed = await followAll(store, events);
    try {
      const [commandsAfter, scriptsRun] = [await commands(store), await scripts(store)];
      const count = countOf(events);
      const reading = await readingAlone(followed.armada, events.jobSets);
      return {
        eventsPerSecond: (count * 1000) / followed.took,
        readPerSecond: (count * 1000) / reading.ms,
        eventsPerScript: count / scriptsRun,
        commandsPerEvent: (commandsAfter - commandsBefore) / count,
        cpu: {
          ingester: (followed.ingesterCpuMs * 1000) / count,
          redis: (followed.redisCpuMs * 1000) / count,
          reader: (reading.cpuMs * 1000) / count,
        },
      };
    } finally {
      await followed.stop();
    }
  } finally {
    await store.stop();
  }
}

async function scripts({ redis }: Store): Promise<number> {
  const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1];
  return Number(calls ?? 0);
}

async function commands({ redis }: Store): Promise<number> {
  const calls = (await redis.info('commandstats')).matchAll(/calls=(\d+)/g);
  return Array.from(calls).reduce((sum, [, count]) => sum + Number(count), 0);
}

const countOf = ({ jobSets, jobs }: FakeEvents): number => jobSets * jobs * EVENTS_PER_JOB;

function figureOf(events: FakeEvents, rounds: readonly Round[]): Figure {
  const of = (value: (round: Round) => number): number => median(rounds.map(value));
  const ratios = rounds.map(({ eventsPerSecond, readPerSecond }) => eventsPerSecond / readPerSecond);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} in ${rounds.length} rounds`;
  return {
    what: `events from ${thousands(events.jobSets)} job set${events.jobSets === 1 ? '' : 's'} to Redis, ${thousands(countOf(events))} events`,
    measured: [
      `${thousands(of((round) => round.eventsPerSecond))}/s`,
      `${median(ratios).toFixed(2)} of reading alone (${thousands(of((round) => round.readPerSecond))}/s${rounds.length > 1 ? `; ${range}` : ''})`,
      `${of((round) => round.eventsPerScript).toFixed(0)} events per script of any kind`,
      `${of((round) => round.commandsPerEvent).toFixed(1)} Redis commands per event, those in scripts included`,
      `CPU per event ${of(({ cpu }) => cpu.ingester).toFixed(1)} µs of the ingester, ${of(({ cpu }) => cpu.redis).toFixed(1)} µs of Redis, ${of(({ cpu }) => cpu.reader).toFixed(1)} µs of reading alone`,
    ].join(', '),
    target: `${TARGET} of reading alone`,
    met: median(ratios) >= TARGET,
  };
}
