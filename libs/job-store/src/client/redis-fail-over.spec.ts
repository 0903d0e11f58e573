import { JobId } from '@ajs/job-state';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisKeys } from '@ajs/redis-keys';
import { RedisClusterServers, RedisSentinelServers, eventually } from '@ajs/testing';
import { aBatch, aRecord } from '../testing/fixtures.js';
import { StaleWriterError } from '../errors.js';
import { createRedisClient, type RedisClient, type RedisNode, type RedisTarget } from './redis-client.js';
import { RedisJobLister } from '../redis/redis-lister.js';
import { RedisJobSink } from '../redis/redis-sink.js';

const KEYS = new RedisKeys();

const KEY = { queue: 'q', jobSetId: 's' };
const META = KEYS.metaKey(KEY);
const STATES = ['QUEUED', 'RUNNING', 'SUCCEEDED'] as const;
/** Batches from a job's first state to its second, and from there to its end. */
const STEP = 20;

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const jobId = (job: number): JobId => JobId(`01m85vnck01jqpr3vd${String(job).padStart(8, '0')}`);
/** The state of a job after so many batches; -1 where it is not there yet. Each batch brings one more job. */
const rankAfter = (job: number, batches: number): number =>
  job > batches ? -1 : Math.min(Math.floor((batches - job) / STEP), 2);

/** A writer and a reader of one job set that never stop, and what was wrong in what they saw. */
class Load {
  readonly wrong: string[] = [];
  /** Batches that were acknowledged. */
  acknowledged = 0;
  /** What each side met that passed by itself. */
  readonly errors = { write: new Set<string>(), read: new Set<string>() };
  reads = 0;
  /** Redis lost batches that it had acknowledged: until they are written again, older states are no defect. */
  lost = 0;
  unfinished = 0;
  private stopped = false;
  private readonly ended: Promise<unknown>;

  constructor(
    writer: RedisClient,
    private readonly reader: RedisJobLister,
  ) {
    this.ended = Promise.all([this.write(writer), this.read()]);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.ended;
  }

  /** Waits for batches and reads that were begun from now on. */
  async goesOn(withinMs = 60_000): Promise<void> {
    const [batches, reads] = [this.acknowledged, this.reads];
    await eventually(
      `it goes on (${[...this.errors.write, ...this.errors.read].join('; ')})`,
      () => this.acknowledged > batches + 5 && this.reads > reads + 5,
      withinMs,
    );
  }

  private async write(redis: RedisClient): Promise<void> {
    const sink = new RedisJobSink(redis, {
      ttlSeconds: 1_000,
      onLost: (_, keys) => this.wrong.push(`${keys} keys are said to be lost`),
      onKept: (_, jobs) => this.wrong.push(`${jobs} ended jobs would have been replaced`),
      onUnreadable: (_, jobId) => this.wrong.push(`${jobId} cannot be read`),
    });
    for (let writer = await this.persist(() => sink.open(KEY)); !this.stopped;) {
      const batch = Number(writer.cursor.split(':')[0] ?? 0) + 1;
      // The new one first, then others in every bucket: a script that fails half-way has done some of its work.
      const moved = Array.from({ length: 3 * STEP }, (_, i) => batch - i).filter((job) => job > 0);
      const records = Object.fromEntries(
        moved.map((job) => [jobId(job), aRecord(STATES[rankAfter(job, batch)] ?? 'QUEUED')]),
      );
      try {
        await this.persist(() => writer.write(aBatch(`${batch}:0:0:1`, records)));
        this.acknowledged = Math.max(this.acknowledged, batch);
        this.unfinished = writer.unfinished;
      } catch {
        writer = await this.persist(() => sink.open(KEY));
        this.lost = Math.max(this.lost, this.acknowledged - Number(writer.cursor.split(':')[0] ?? 0));
      }
    }
  }

  /** Again until it is done, or stale. */
  private async persist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof StaleWriterError) throw error;
        this.errors.write.add((error as Error).message);
        await sleep(20);
      }
    }
  }

  private async read(): Promise<void> {
    while (!this.stopped) {
      const batches = this.acknowledged;
      const job = 1 + Math.floor(Math.random() * batches);
      try {
        const { jobs } = await this.reader.read(KEY, [jobId(job)]);
        const state = jobs.get(jobId(job))?.state;
        const rank = STATES.findIndex((name) => name === state);
        if (batches > 0 && rank < rankAfter(job, batches) && this.lost === 0) {
          this.wrong.push(`job ${job} was ${String(state)} after ${batches} batches`);
        }
        this.reads++;
      } catch (error) {
        this.errors.read.add((error as Error).message);
        await sleep(20);
      }
    }
  }
}

function loadOn(target: RedisTarget): Load {
  const connect = (role: 'reader' | 'writer'): RedisClient => {
    const client = createRedisClient(target, role, () => {});
    cleanUps.push(() => client.disconnect());
    return client;
  };
  const load = new Load(connect('writer'), new RedisJobLister(connect('reader')));
  cleanUps.push(() => load.stop());
  return load;
}

/** At rest Redis holds exactly what was written. */
async function expectAllThere(load: Load, target: RedisTarget): Promise<void> {
  await load.stop();
  const client = createRedisClient(target, 'writer', () => {});
  cleanUps.push(() => client.disconnect());
  const jobs = Array.from({ length: load.acknowledged }, (_, i) => i + 1);
  const view = await new RedisJobLister(client).read(KEY, jobs.map(jobId));
  const ranks = jobs.map((job) => STATES.findIndex((state) => state === view.jobs.get(jobId(job))?.state));
  expect(ranks).toEqual(jobs.map((job) => rankAfter(job, load.acknowledged)));
  expect(load.unfinished).toBe(Math.min(load.acknowledged, 2 * STEP));
  expect(load.wrong).toEqual([]);
}

const nodesOf = (servers: readonly { readonly port: number }[]): RedisNode[] =>
  servers.map(({ port }) => ({ host: '127.0.0.1', port }));

describe('Redis Cluster under load', () => {
  it('whose slots are moved key by key shows every state, and keeps it, watched or not', async () => {
    const cluster = await RedisClusterServers.start();
    cleanUps.push(() => cluster.stop());
    const target: RedisTarget = { kind: 'cluster', nodes: nodesOf(cluster.servers), tls: false };
    const load = loadOn(target);
    await eventually('there are many keys', () => load.acknowledged > 400, 60_000);
    const client = createRedisClient(target, 'writer', () => {});
    cleanUps.push(() => client.disconnect());
    for (const isWatched of [false, true]) {
      // For longer than a move takes.
      if (isWatched) await client.set(KEYS.format({ kind: 'watched', jobSet: KEY }), '', 'EX', 600);
      const before = await cluster.masterOf(META);
      // Some reads and writes at every step.
      await cluster.move(META, () => sleep(30));
      expect(await cluster.masterOf(META)).not.toBe(before);
      await load.goesOn();
    }
    await expectAllThere(load, target);
    expect([...load.errors.write].filter((error) => !error.includes('is being moved'))).toEqual([]);
  }, 300_000);

  it('one of whose masters is killed goes on with its replica', async () => {
    const cluster = await RedisClusterServers.start({ replicas: 1 });
    cleanUps.push(() => cluster.stop());
    const target: RedisTarget = { kind: 'cluster', nodes: nodesOf(cluster.servers), tls: false };
    const load = loadOn(target);
    await eventually('there are many jobs', () => load.acknowledged > 100, 60_000);
    await (await cluster.masterOf(META)).kill();
    await load.goesOn();
    await expectAllThere(load, target);
  }, 300_000);
});

describe('Redis with Sentinel under load', () => {
  it('whose master is killed goes on with its replica', async () => {
    const servers = await RedisSentinelServers.start();
    cleanUps.push(() => servers.stop());
    const { sentinels, masterName: name } = servers;
    const target: RedisTarget = { kind: 'sentinel', sentinels: nodesOf(sentinels), name, tls: false };
    const load = loadOn(target);
    await eventually('there are many jobs', () => load.acknowledged > 100, 60_000);
    const master = await servers.master();
    await master.kill();
    await load.goesOn();
    expect(await servers.master()).not.toBe(master);
    await expectAllThere(load, target);
  }, 300_000);
});
