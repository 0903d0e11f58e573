import { cpuMs } from './cpu.js';
import { thousands, type Figure } from './figure.js';
import { EVENTS_PER_JOB } from './fake-events.js';
import { followAll } from './following.js';
import { buildLoadGenerator, load } from './load.js';
import { NODE_OF_CONTAINER, peakResidentKib } from './memory.js';
import { withPolledJobs, type Measured } from './polled-jobs.js';
import { startStore } from './store.js';

const TARGET_MB = 350;
const TARGET_TIMES = 1.1;
/** A round of polls takes as long as it needs. */
const PATIENCE_SECONDS = 300;

interface Usage {
  readonly cpuMicros: number;
  readonly peakMb: number;
}

/** What processes take in a container of 512 MiB, and what that costs, beside the same processes with all the memory of this machine. */
export async function benchResident(quick: boolean): Promise<Figure[]> {
  return [...(await benchQuery(quick)), ...(await benchIngester(quick))];
}

async function benchQuery(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds] = quick ? [5_000, 2] : [10_000, 5];
  const binary = buildLoadGenerator();
  return withPolledJobs(jobs, async ({ startQuery, jobSet, running, ended }) => {
    const poll = async ({ port }: Measured): Promise<void> => {
      for (const jobIds of [running, ended])
        await load({ binary, port, jobSet, jobIds, seconds: PATIENCE_SECONDS, once: true });
    };
    const start = async (NODE_OPTIONS: string) => {
      const query = await startQuery({ NODE_OPTIONS });
      // Compiled code, connections, caches.
      await poll(query);
      return { query, cpuBefore: cpuMs(query.pid) };
    };
    const free = await start('');
    const contained = await start(NODE_OF_CONTAINER);
    for (let round = 0; round < rounds; round++) for (const { query } of [free, contained]) await poll(query);
    const usageOf = ({ query: { pid }, cpuBefore }: typeof free): Usage => ({
      cpuMicros: ((cpuMs(pid) - cpuBefore) * 1_000) / (2 * jobs * rounds),
      peakMb: peakMb(pid),
    });
    return figuresOf('query', 'poll', usageOf(free), usageOf(contained));
  });
}

async function benchIngester(quick: boolean): Promise<Figure[]> {
  const events = { jobSets: 100, jobs: quick ? 100 : 300, running: 0 };
  const follow = async (NODE_OPTIONS: string): Promise<Usage> => {
    const store = await startStore();
    try {
      const { ingesterCpuMs, ingesterPid, stop } = await followAll(store, events, { NODE_OPTIONS });
      const count = events.jobSets * events.jobs * EVENTS_PER_JOB;
      const usage = { cpuMicros: (ingesterCpuMs * 1_000) / count, peakMb: peakMb(ingesterPid) };
      await stop();
      return usage;
    } finally {
      await store.stop();
    }
  };
  return figuresOf('ingester', 'event', await follow(''), await follow(NODE_OF_CONTAINER));
}

const peakMb = (pid: number): number => (peakResidentKib(pid) * 1_024) / 1e6;

function figuresOf(app: string, what: string, free: Usage, contained: Usage): Figure[] {
  const times = contained.cpuMicros / free.cpuMicros;
  return [
    {
      what: `peak memory of the ${app}, as in a container of 512 MiB`,
      measured: `${thousands(contained.peakMb)} MB (${thousands(free.peakMb)} MB without a limit)`,
      target: `at most ${TARGET_MB} MB`,
      met: contained.peakMb <= TARGET_MB,
    },
    {
      what: `CPU of the ${app} per ${what}, as in a container of 512 MiB`,
      measured: `${contained.cpuMicros.toFixed(0)} µs, ${times.toFixed(2)} times what it is without a limit`,
      target: `${TARGET_TIMES} times`,
      met: times <= TARGET_TIMES,
    },
  ];
}
