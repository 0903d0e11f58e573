import { monotonicNow } from '@ajs/platform';
import { Cursor, ArmadaTime, foldBatch, type JobEvent, type StreamMessage } from '@ajs/job-state';
import { RedisJobSink, type RedisClient } from '@ajs/job-store';
import { thousands, type Figure } from './figure.js';
import { jobIdOf } from './jobs.js';
import { startStore } from './store.js';

const TARGET_BYTES = 90;
const JOBS_PER_SET = 1_000;
const FAILED_SHARE = 20;
const SINK_OPTIONS = {
  ttlSeconds: 86_400,
  onLost: () => undefined,
  onKept: () => undefined,
  onUnreadable: () => undefined,
};

/** Redis' memory for jobs that have ended, one in twenty by a failure, with everything stored about them. */
export async function benchBytes(quick: boolean): Promise<Figure[]> {
  const jobSets = quick ? 50 : 1_000;
  const store = await startStore();
  try {
    const before = await usedMemory(store.redis);
    const sink = new RedisJobSink(store.redis, SINK_OPTIONS);
    for (let set = 0; set < jobSets; set += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, i) => writeJobSet(sink, set + i)));
    }
    const jobs = jobSets * JOBS_PER_SET;
    const bytes = ((await usedMemory(store.redis)) - before) / jobs;
    return [
      {
        what: `Redis memory per job, ${thousands(jobs)} jobs in job sets of ${thousands(JOBS_PER_SET)}`,
        measured: `${bytes.toFixed(1)} bytes`,
        // Fewer jobs share less: the shards of the job index are sized for many.
        ...(quick ? { target: '' } : { target: `at most ${TARGET_BYTES} bytes`, met: bytes <= TARGET_BYTES }),
      },
    ];
  } finally {
    await store.stop();
  }
}

async function writeJobSet(sink: RedisJobSink, set: number): Promise<void> {
  const writer = await sink.open({ queue: 'bench', jobSetId: `job-set-of-the-day-${set}` });
  const begin = 1_795_493_000_000 + set * 60_000;
  for (let step = 0; step < 5; step++) {
    for (let from = 0; from < JOBS_PER_SET; from += 500) {
      const messages = Array.from({ length: 500 }, (_, i) => messageOf(set, from + i, step, begin));
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

function messageOf(set: number, job: number, step: number, begin: number): StreamMessage {
  const ms = begin + step * 10_000 + job * 7;
  const at = ArmadaTime(ms);
  const jobId = jobIdOf(set * JOBS_PER_SET + job);
  const placement = {
    cluster: `cluster-${job % 3}`,
    pool: 'default',
    node: `node-${job % 40}.example.com`,
    podName: `armada-${jobId}-0`,
    podNamespace: 'default',
  };
  const events: JobEvent[] = [
    { kind: 'submitted', jobId, at, namespace: 'default' },
    { kind: 'leased', jobId, at, placement: { cluster: placement.cluster, pool: placement.pool } },
    { kind: 'pending', jobId, at, placement },
    { kind: 'running', jobId, at, placement },
    job % FAILED_SHARE === 0
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
          },
        }
      : { kind: 'succeeded', jobId, at, placement: {} },
  ];
  const event = events[step];
  const id = { ms, sequence: 0, index: 0, last: true };
  return { cursor: Cursor(`${ms}:0:0:1`), id, ...(event !== undefined && { event }) };
}

async function usedMemory(redis: RedisClient): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}
