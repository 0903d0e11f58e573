import {
  RedisClusterServers,
  RedisSentinelServers,
  RedisServer,
  SURVIVES_KILL,
  eventually,
  jobEvents,
} from '@ajs/testing';
import { RedisKeys } from '@ajs/redis-keys';
import { status, type Client } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import { adminOf } from './admin-of.js';
import { jobIdFor } from './job-ids.js';
import { JobSetWatch } from './job-set-watch.js';
import { Stack, poll } from './stack.js';

const KEY = { queue: 'watched', jobSetId: 's' };
const JOB = { namespace: 'n', annotations: {} };
const KEYS = new RedisKeys();
const META = KEYS.metaKey(KEY);
const WITHIN_MS = 60_000;
const [A, B, C] = [jobIdFor('a'), jobIdFor('b'), jobIdFor('c')];

let stack: Stack;
afterEach(() => stack.stop());

const succeed = (jobId: string): void => {
  stack.armada.state.openLog(KEY.queue, KEY.jobSetId).append(jobEvents.succeeded({ ...KEY, jobId }));
};

/** Watches the job set, and goes on with its token when the stream ends because Redis is unavailable. */
class Watcher {
  private readonly before: string[] = [];

  private constructor(
    private readonly client: Client,
    public stream: JobSetWatch,
  ) {}

  /** Begins once three jobs run. */
  static async start(redis: { readonly url: string; stop(): Promise<void> }): Promise<Watcher> {
    stack = await Stack.start({}, redis);
    const log = stack.armada.state.openLog(KEY.queue, KEY.jobSetId);
    for (const jobId of [A, B, C]) {
      const ref = { ...KEY, jobId };
      log.append([...jobEvents.submitted(ref, JOB), ...jobEvents.running(ref, JOB)]);
    }
    const [{ client }] = await Promise.all([stack.query(), stack.ingester()]);
    await eventually('all jobs run', async () => (await poll(client, KEY, C)).state === 'RUNNING', WITHIN_MS);
    const watcher = new Watcher(client, new JobSetWatch(client, KEY));
    await eventually('the snapshot is over', () => watcher.seen.includes('end of the snapshot'), WITHIN_MS);
    expect(watcher.seen.slice(0, -1).sort()).toEqual([A, B, C].map((jobId) => `${jobId} RUNNING`).sort());
    return watcher;
  }

  get seen(): string[] {
    return [...this.before, ...this.stream.seen];
  }

  /** What was received of a job, in order. */
  statesOf(jobId: string): string[] {
    return this.seen.flatMap((seen) => (seen.startsWith(jobId) ? [seen.slice(jobId.length + 1)] : []));
  }

  async sees(jobId: string, state: string): Promise<void> {
    await eventually(
      `${jobId} is seen to be ${state}`,
      () => {
        this.resume();
        return this.statesOf(jobId).includes(state);
      },
      WITHIN_MS,
    );
  }

  private resume(): void {
    const { stream } = this;
    if (stream.end?.code !== status.UNAVAILABLE) return;
    this.before.push(...stream.seen);
    this.stream = new JobSetWatch(this.client, KEY, stream.token);
  }
}

const ONCE = ['RUNNING', 'SUCCEEDED'];

it('a watcher misses nothing over a restart of Redis, nor where it lost writes, and has to start again once all is lost', async () => {
  const redis = await RedisServer.start(SURVIVES_KILL);
  const watcher = await Watcher.start(redis);
  await redis.kill();
  succeed(A);
  await redis.restart();
  await watcher.sees(A, 'SUCCEEDED');
  expect(watcher.statesOf(A)).toEqual(ONCE);

  await redis.backUp();
  succeed(B);
  await watcher.sees(B, 'SUCCEEDED');
  await redis.restore();
  succeed(C);
  await watcher.sees(C, 'SUCCEEDED');
  expect(watcher.statesOf(A)).toEqual(ONCE);
  expect(watcher.statesOf(C)).toEqual(ONCE);
  // Lost, and written once more as another change.
  expect(new Set(watcher.statesOf(B).slice(1))).toEqual(new Set(['SUCCEEDED']));

  const { stream } = watcher;
  const admin = adminOf(redis.url);
  await admin.flushall();
  admin.disconnect();
  const end = await stream.ended();
  expect(end).toMatchObject({
    code: status.OUT_OF_RANGE,
    details: expect.stringContaining('start again without a token') as string,
  });
}, 300_000);

/** How many clients subscribe to the changes of the job set at the master that has its slot. */
async function subscribersAt(servers: RedisClusterServers): Promise<unknown> {
  const master = new Redis((await servers.masterOf(META)).url);
  try {
    const [, count] = (await master.call('PUBSUB', 'SHARDNUMSUB', KEYS.changesChannel(KEY))) as unknown[];
    return count;
  } finally {
    master.disconnect();
  }
}

it('a watcher misses nothing while its slot of Redis Cluster moves, and receives changes from there', async () => {
  const servers = await RedisClusterServers.start();
  const watcher = await Watcher.start(servers);
  let steps = 0;
  await servers.move(META, () => {
    if (steps++ === 0) succeed(A);
    return Promise.resolve();
  });
  await watcher.sees(A, 'SUCCEEDED');
  await eventually('it is subscribed there', async () => (await subscribersAt(servers)) === 1, WITHIN_MS);
  succeed(B);
  await watcher.sees(B, 'SUCCEEDED');
  expect([A, B].map((jobId) => watcher.statesOf(jobId))).toEqual([ONCE, ONCE]);
}, 300_000);

it('a watcher misses nothing where a replica takes over', async () => {
  const servers = await RedisSentinelServers.start();
  const watcher = await Watcher.start(servers);
  succeed(A);
  await watcher.sees(A, 'SUCCEEDED');
  const master = await servers.master();
  await master.kill();
  succeed(B);
  await watcher.sees(B, 'SUCCEEDED');
  succeed(C);
  await watcher.sees(C, 'SUCCEEDED');
  // The replica may lack the last writes: they come again as other changes.
  for (const jobId of [A, B, C]) {
    expect(new Set(watcher.statesOf(jobId).slice(1))).toEqual(new Set(['SUCCEEDED']));
  }
}, 300_000);
