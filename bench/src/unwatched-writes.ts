import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { eventually } from '@ajs/testing';
import { ChangingJobs } from './changing-jobs.js';
import { median, type Figure } from './figure.js';
import { startStore, type Store } from './store.js';

const TARGET_MORE = 0.02;
/** In the scripts that write: whether anybody watches the job set's changes. */
const LOOK = "local isWatched = redis.call('EXISTS', watchedKey(KEYS[1])) == 1";
const NO_LOOK = "redis.call('EXISTS', KEYS[1] .. '-')\nlocal isWatched = false";
/** Of a write, in jobs. */
const SIZES = [1, 100];
/** Of a round: few, so that both sides of a round meet the same noise. */
const WRITES = 50;

/** What it costs the writes of job sets that nobody watches that they could be watched: Redis' time in the scripts, with and without, as the
 * median of many short rounds. */
export async function benchUnwatchedWrites(quick: boolean): Promise<Figure[]> {
  const rounds = quick ? 100 : 400;
  const store = await startStore();
  const without = await connect(store);
  leaveOutLook(without);
  const all: ChangingJobs[] = [];
  try {
    const figures: Figure[] = [];
    for (const [i, size] of SIZES.entries()) {
      const open = async (redis: RedisClient, n: number): Promise<ChangingJobs> => {
        const firstNumber = (2 * i + n) * 1_000_000;
        const jobs = await ChangingJobs.open(redis, { jobSets: 1, jobs: size, firstNumber });
        all.push(jobs);
        return jobs;
      };
      const [withLook, withoutLook] = [await open(store.redis, 0), await open(without, 1)];
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) {
        // Each first as often: whoever comes second finds a warmer machine.
        const isFirst = round % 2 === 0;
        const [first, second] = isFirst ? [withLook, withoutLook] : [withoutLook, withLook];
        const [firstMicros, secondMicros] = [await microsOf(store, first), await microsOf(store, second)];
        times.push(isFirst ? firstMicros / secondMicros : secondMicros / firstMicros);
      }
      const more = median(times) - 1;
      figures.push({
        what: `Redis' time in a write of ${size} ${size === 1 ? 'job' : 'jobs'} of a job set that nobody watches`,
        measured: `${(more * 100).toFixed(1)} % more than where changes cannot be watched`,
        target: `at most ${TARGET_MORE * 100} % more`,
        met: more <= TARGET_MORE,
      });
    }
    return figures;
  } finally {
    for (const jobs of all) jobs.close();
    without.disconnect();
    await store.stop();
  }
}

async function connect({ server }: Store): Promise<RedisClient> {
  const redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
  await eventually('Redis is connected', () => redis.status === 'ready');
  return redis;
}

/** Has a client's scripts not look whether anybody watches. */
function leaveOutLook(redis: RedisClient): void {
  const define = redis.defineCommand.bind(redis);
  redis.defineCommand = (name, definition) => {
    const lua = definition.lua.replace(LOOK, NO_LOOK);
    if (name === 'writeJobSet' && lua === definition.lua) {
      throw new Error(
        'writeJobSet looks whether a job set is watched in a way that this benchmark does not know',
      );
    }
    define(name, { ...definition, lua });
  };
}

/** Of Redis in a script, for each of {@link WRITES}. */
async function microsOf({ redis }: Store, jobs: ChangingJobs): Promise<number> {
  await redis.config('RESETSTAT');
  const jobIds = jobs.jobIds(0);
  for (let n = 0; n < WRITES; n++) {
    await jobs.write(
      0,
      jobIds.map((jobId) => [jobId, n % 2 === 0 ? 'PENDING' : 'RUNNING'] as const),
    );
  }
  const stats = await redis.info('commandstats');
  const [, calls, usec] = /^cmdstat_evalsha:calls=(\d+),usec=(\d+)/m.exec(stats) ?? [];
  return Number(usec) / Number(calls);
}
