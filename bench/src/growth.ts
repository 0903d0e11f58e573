import { availableParallelism } from 'node:os';
import type { JobId } from '@ajs/job-state';
import { RedisJobLister, createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisClusterServers, eventually } from '@ajs/testing';
import { Redis } from 'ioredis';
import { startApp } from './child.js';
import { cpuMs } from './cpu.js';
import { EVENTS_PER_JOB } from './fake-events.js';
import { median, thousands, type Figure } from './figure.js';
import { followAll } from './following.js';
import { buildLoadGenerator, load } from './load.js';
import { startStore, type Store } from './store.js';
import { storeJobs, storedJobId, storedJobSet, type StoredJobs } from './stored-jobs.js';

const METHOD = 'api.Jobs/GetJobStatus';
/** Of what the smallest size costs. */
const TARGET_GROWTH = 1.2;
/** Of an even share. */
const TARGET_SPREAD = 0.15;
const TARGET_TWO_QUERIES = 1.7;
/** Two queries, Redis and the load generator. */
const CORES_FOR_TWO_QUERIES = 6;
const ROUNDS = 3;
const POLLS = 2_000;
/** Each poll of another job set records interest, which is not what grows. */
const MOST_POLLED_SETS = 100;
const FOLLOWED = { jobSets: 10, jobs: 600, running: 0 };

/** Microseconds of processor time. */
interface Cost {
  readonly process: number;
  readonly redis: number;
}

/** A query over so many ended jobs. */
interface Grown {
  readonly size: StoredJobs;
  readonly store: Store;
  readonly query: { readonly port: number; readonly pid: number };
  readonly event: Cost;
  readonly polls: Cost[];
  /** Jobs that the query was asked for so far. */
  polled: number;
}

/** What a poll and an event cost while more and more is stored, and how evenly a Redis Cluster shares it. */
export async function benchGrowth(quick: boolean): Promise<Figure[]> {
  const sizes: StoredJobs[] = [
    { jobSets: 10, jobs: 2_000 },
    { jobSets: 10, jobs: quick ? 20_000 : 200_000 },
    { jobSets: quick ? 1_000 : 20_000, jobs: 100 },
  ];
  const binary = buildLoadGenerator();
  const stops: (() => Promise<void>)[] = [];
  try {
    const grown: Grown[] = [];
    for (const size of sizes) grown.push(await grow(size, stops));
    // The first round only warms up: compiled code, connections.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const each of grown) {
        const cost = await pollSome(binary, each);
        if (round > 0) each.polls.push(cost);
      }
    }
    const polls = grown.map(({ polls: rounds }) => ({
      process: median(rounds.map(({ process }) => process)),
      redis: median(rounds.map(({ redis }) => redis)),
    }));
    return [
      ...growthFigures('a poll of a job that was not polled before', sizes, polls),
      ...growthFigures(
        'an event',
        sizes,
        grown.map(({ event }) => event),
      ),
      await twoQueriesFigure(binary, grown[0], stops),
      ...(await clusterFigures(quick)),
    ];
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function grow(size: StoredJobs, stops: (() => Promise<void>)[]): Promise<Grown> {
  const store = await startStore();
  stops.push(store.stop);
  await storeJobs(store.redis, size);
  // Before anything is polled: what was polled is followed, too.
  const event = await followSome(store);
  return { size, store, event, query: await startQuery(store, stops), polls: [], polled: 0 };
}

async function startQuery(store: Store, stops: (() => Promise<void>)[]): Promise<Grown['query']> {
  // Nothing listens there: what is stored is answered without Armada.
  const env = { REDIS_URL: store.server.url, ARMADA_URL: 'localhost:1' };
  const { child, started } = await startApp('query', env);
  stops.push(() => child.stop());
  return { port: Number(started['grpcPort']), pid: child.pid };
}

/** Polls jobs that were not polled before. */
async function pollSome(binary: string, grown: Grown): Promise<Cost> {
  const { jobs } = grown.size;
  const sets = Math.min(grown.size.jobSets, MOST_POLLED_SETS);
  const jobIds = Array.from({ length: POLLS }, () => {
    const n = grown.polled++;
    return storedJobId((n % sets) * jobs + Math.floor(n / sets));
  });
  if (grown.polled > sets * jobs)
    throw new Error(`${sets * jobs} jobs are too few for ${grown.polled} polls`);
  const { query, store } = grown;
  const before = { process: cpuMs(query.pid), redis: cpuMs(store.server.pid) };
  const { calls } = await load({
    ...{ binary, port: query.port, jobSet: storedJobSet(0), jobIds, method: METHOD },
    ...{ batch: 1, once: true, seconds: 60 },
  });
  return {
    process: ((cpuMs(query.pid) - before.process) * 1_000) / calls,
    redis: ((cpuMs(store.server.pid) - before.redis) * 1_000) / calls,
  };
}

/** Has an ingester follow a few job sets beside what is stored. */
async function followSome(store: Store): Promise<Cost> {
  const followed = await followAll(store, FOLLOWED);
  await followed.stop();
  const events = FOLLOWED.jobSets * FOLLOWED.jobs * EVENTS_PER_JOB;
  return {
    process: (followed.ingesterCpuMs * 1_000) / events,
    redis: (followed.redisCpuMs * 1_000) / events,
  };
}

function growthFigures(what: string, sizes: readonly StoredJobs[], costs: readonly Cost[]): Figure[] {
  const [first = { process: NaN, redis: NaN }] = costs;
  return sizes.map(({ jobSets, jobs }, i) => {
    const { process, redis } = costs[i] ?? first;
    const growth = (process + redis) / (first.process + first.redis);
    const measured = `CPU ${process.toFixed(1)} µs of the process, ${redis.toFixed(1)} µs of Redis`;
    return {
      what: `${what}, beside ${thousands(jobSets * jobs)} ended jobs in ${thousands(jobSets)} job sets`,
      ...(i === 0
        ? { measured, target: '' }
        : {
            measured: `${measured}: ${growth.toFixed(2)} times`,
            target: `at most ${TARGET_GROWTH} times the first`,
            met: growth <= TARGET_GROWTH,
          }),
    };
  });
}

async function twoQueriesFigure(
  binary: string,
  grown: Grown | undefined,
  stops: (() => Promise<void>)[],
): Promise<Figure> {
  const what = 'polls per second, two queries beside one';
  const target = `${TARGET_TWO_QUERIES} times`;
  if (grown === undefined || availableParallelism() < CORES_FOR_TWO_QUERIES) {
    return { what, measured: `needs ${CORES_FOR_TWO_QUERIES} cores`, target };
  }
  const { port } = await startQuery(grown.store, stops);
  const jobIds = Array.from({ length: grown.size.jobs }, (_, n) => storedJobId(n));
  const speedAt = async (...ports: number[]): Promise<number> => {
    const options = { binary, jobSet: storedJobSet(0), jobIds, method: METHOD, batch: 1, seconds: 2 };
    const loads = await Promise.all(ports.map((each) => load({ ...options, port: each })));
    return loads.reduce((sum, { callsPerSecond }) => sum + callsPerSecond, 0);
  };
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const one = await speedAt(grown.query.port);
    ratios.push((await speedAt(grown.query.port, port)) / one);
  }
  const ratio = median(ratios);
  return { what, measured: `${ratio.toFixed(2)} times`, target, met: ratio >= TARGET_TWO_QUERIES };
}

/** How much more than its even share the busiest master has of all keys, and of the commands of writing and of polling. */
async function clusterFigures(quick: boolean): Promise<Figure[]> {
  const size: StoredJobs = quick ? { jobSets: 2_000, jobs: 10 } : { jobSets: 5_000, jobs: 100 };
  const servers = await RedisClusterServers.start();
  const nodes = servers.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  const redis = createRedisClient({ kind: 'cluster', nodes, tls: false }, 'writer', () => undefined);
  const masters = servers.servers.map(({ url }) => new Redis(url));
  try {
    await eventually('Redis Cluster is connected', () => redis.status === 'ready');
    await storeJobs(redis, size);
    const written = await Promise.all(masters.map(commandsOf));
    await readSome(redis, size);
    const read = (await Promise.all(masters.map(commandsOf))).map((all, i) => all - (written[i] ?? 0));
    const keys = await Promise.all(masters.map((master) => master.dbsize()));
    const of = `of Redis Cluster's busiest master, ${thousands(size.jobSets * size.jobs)} jobs in ${thousands(size.jobSets)} job sets`;
    return [
      spreadFigure(`keys ${of}`, keys),
      spreadFigure(`commands ${of}, writing`, written),
      spreadFigure(`commands ${of}, polling`, read),
    ];
  } finally {
    for (const client of [redis, ...masters]) client.disconnect();
    await servers.stop();
  }
}

async function readSome(redis: RedisClient, { jobSets, jobs }: StoredJobs): Promise<void> {
  const lister = new RedisJobLister(redis);
  const read = async (set: number): Promise<void> => {
    const jobIds = Array.from({ length: jobs }, (_, n): JobId => storedJobId(set * jobs + n));
    const located = await lister.locate(jobIds);
    if (located.size !== jobs) throw new Error(`${located.size} of ${jobs} jobs are in the job index`);
    await lister.read(storedJobSet(set), jobIds);
  };
  for (let set = 0; set < jobSets; set++) await read(set);
}

/** Commands from clients, without those that scripts call and the one that asks. */
async function commandsOf(master: Redis): Promise<number> {
  const calls = (await master.info('commandstats')).matchAll(/^cmdstat_(?:eval|evalsha):calls=(\d+)/gm);
  return Array.from(calls).reduce((sum, [, count]) => sum + Number(count), 0);
}

function spreadFigure(what: string, shares: readonly number[]): Figure {
  const even = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const most = Math.max(...shares) / even - 1;
  const least = 1 - Math.min(...shares) / even;
  return {
    what,
    measured: `${(most * 100).toFixed(0)} % more than an even share, the least busy ${(least * 100).toFixed(0)} % less`,
    target: `within ${TARGET_SPREAD * 100} %`,
    met: Math.max(most, least) <= TARGET_SPREAD,
  };
}
