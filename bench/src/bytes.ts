import { monotonicNow } from '@ajs/platform';
import { Cursor, ArmadaTime, foldBatch, type JobEvent, type StreamMessage } from '@ajs/job-state';
import { RedisJobSink, type RedisClient } from '@ajs/job-store';
import { thousands, type Figure } from './figure.js';
import { jobIdOf } from './jobs.js';
import { startStore } from './store.js';

const TARGET_BYTES = 80;
/** Written by one batch. */
const BATCH = 500;
const SETS_AT_ONCE = 10;
const SINK_OPTIONS = {
  ttlSeconds: 86_400,
  onLost: () => undefined,
  onKept: () => undefined,
  onUnreadable: () => undefined,
};

interface Jobs {
  readonly jobSets: number;
  /** Per job set. */
  readonly jobs: number;
  /** Every so many-th job fails, the others succeed. Left out: none fails. */
  readonly failedEach?: number;
  /** Each was submitted with an external URI of its own, as Airflow's operator does it. */
  readonly haveUris?: true;
}

/** Redis' memory for jobs that have ended, with everything stored about them. */
export async function benchBytes(quick: boolean): Promise<Figure[]> {
  const scale = quick ? 20 : 1;
  const jobs = 1_000;
  const few: Jobs = { jobSets: 1_000 / scale, jobs };
  // What they take besides shows with fewer jobs.
  const fewer: Jobs = { jobSets: 100, jobs };
  return [
    await figureOf(few, 'that have succeeded'),
    await figureOf({ jobSets: 1, jobs: 1_000_000 / scale }, 'that have succeeded'),
    await figureOf({ ...fewer, failedEach: 20 }, 'that have ended, one in 20 by a failure'),
    await figureOf({ ...fewer, haveUris: true }, 'that have succeeded, each with an external URI'),
  ];
}

async function figureOf(jobs: Jobs, whichHaveEnded: string): Promise<Figure> {
  const bytes = await bytesOf(jobs);
  const sets =
    jobs.jobSets === 1 ? 'one job set' : `${thousands(jobs.jobSets)} job sets of ${thousands(jobs.jobs)}`;
  return {
    what: `Redis memory per job, ${thousands(jobs.jobSets * jobs.jobs)} jobs ${whichHaveEnded}, in ${sets}`,
    measured: `${bytes.toFixed(1)} bytes`,
    ...(jobs.failedEach === undefined && jobs.haveUris === undefined
      ? { target: `at most ${TARGET_BYTES} bytes`, met: bytes <= TARGET_BYTES }
      : { target: '' }),
  };
}

async function bytesOf(jobs: Jobs): Promise<number> {
  const store = await startStore();
  try {
    const before = await usedMemory(store.redis);
    const sink = new RedisJobSink(store.redis, SINK_OPTIONS);
    for (let set = 0; set < jobs.jobSets; set += SETS_AT_ONCE) {
      const length = Math.min(SETS_AT_ONCE, jobs.jobSets - set);
      await Promise.all(Array.from({ length }, (_, i) => writeJobSet(sink, set + i, jobs)));
    }
    return ((await usedMemory(store.redis)) - before) / (jobs.jobSets * jobs.jobs);
  } finally {
    await store.stop();
  }
}

async function writeJobSet(sink: RedisJobSink, set: number, jobs: Jobs): Promise<void> {
  const writer = await sink.open({ queue: 'bench', jobSetId: `job-set-of-the-day-${set}` });
  const begin = 1_795_493_000_000 + set * 60_000;
  for (let step = 0; step < 5; step++) {
    for (let from = 0; from < jobs.jobs; from += BATCH) {
      const messages = Array.from({ length: BATCH }, (_, i) => messageOf(set, from + i, step, begin, jobs));
      const jobIds = messages.flatMap(({ event }) => event?.jobId ?? []);
      const records = foldBatch(await writer.load(jobIds), messages);
      const cursor = messages.at(-1)?.cursor ?? writer.cursor;
      await writer.write({
        cursor,
        records,
        subscription: { state: 'live', reason: '', syncedAt: monotonicNow() },
      });
    }
  }
}

function messageOf(set: number, job: number, step: number, begin: number, jobs: Jobs): StreamMessage {
  const ms = begin + step * 10_000 + job * 7;
  const at = ArmadaTime(ms);
  const jobId = jobIdOf(set * jobs.jobs + job);
  const placement = {
    cluster: `cluster-${job % 3}`,
    pool: 'default',
    node: `node-${job % 40}.example.com`,
    podName: `armada-${jobId}-0`,
    podNamespace: 'default',
  };
  const events: JobEvent[] = [
    {
      kind: 'submitted',
      jobId,
      at,
      namespace: 'default',
      ...(jobs.haveUris && { externalUri: uriOf(set, job) }),
    },
    { kind: 'leased', jobId, at, placement: { cluster: placement.cluster, pool: placement.pool } },
    { kind: 'pending', jobId, at, placement },
    { kind: 'running', jobId, at, placement },
    jobs.failedEach !== undefined && job % jobs.failedEach === 0
      ? {
          kind: 'failed',
          jobId,
          at,
          placement: {},
          retryable: false,
          rejected: false,
          failure: {
            reason: 'Container main failed with exit code 1 because Error: \n',
            exitCodes: { main: 1 },
            exitReasons: { main: 'Error' },
          },
        }
      : { kind: 'succeeded', jobId, at, placement: {} },
  ];
  const event = events[step];
  const id = { ms, sequence: 0, index: 0, last: true };
  return { cursor: Cursor(`${ms}:0:0:1`), id, ...(event !== undefined && { event }) };
}

function uriOf(set: number, job: number): string {
  return `airflow://etl_of_the_day/transform_${job}/scheduled__2026-11-28T00:00:00+00:00/${set}`;
}

async function usedMemory(redis: RedisClient): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}
