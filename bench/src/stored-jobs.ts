import { ArmadaTime, Cursor, type JobId, type JobRecord, type JobSetKey } from '@ajs/job-state';
import { RedisJobSink, type RedisClient } from '@ajs/job-store';
import { monotonicNow } from '@ajs/platform';
import { QUEUE } from './fake-events.js';
import { jobIdOf } from './jobs.js';

/** Jobs that no ingester follows have the numbers from here on. */
const FIRST_NUMBER = 100_000_000;
const BATCH = 500;
const SETS_AT_ONCE = 8;

/** Ended jobs, in job sets of one size. */
export interface StoredJobs {
  readonly jobSets: number;
  /** Per job set. */
  readonly jobs: number;
}

/** The id of the n-th of these jobs. */
export const storedJobId = (n: number): JobId => jobIdOf(FIRST_NUMBER + n);

export const storedJobSet = (set: number): JobSetKey => ({ queue: QUEUE, jobSetId: `stored-${set}` });

/** Writes ended jobs as an ingester does, their last state only. */
export async function storeJobs(redis: RedisClient, { jobSets, jobs }: StoredJobs): Promise<void> {
  const sink = new RedisJobSink(redis, {
    ttlSeconds: 86_400,
    onLost: () => undefined,
    onKept: () => undefined,
    onUnreadable: () => undefined,
  });
  let next = 0;
  const storeSome = async (): Promise<void> => {
    for (let set = next++; set < jobSets; set = next++) {
      const writer = await sink.open(storedJobSet(set));
      for (let from = 0; from < jobs; from += BATCH) {
        const length = Math.min(BATCH, jobs - from);
        const numbers = Array.from({ length }, (_, i) => set * jobs + from + i);
        await writer.write({
          cursor: Cursor(`${from + 1}:0:0:1`),
          records: new Map(numbers.map((n) => [storedJobId(n), endedRecord(n)])),
          subscription: { state: 'live', reason: '', syncedAt: monotonicNow() },
        });
      }
    }
  };
  await Promise.all(Array.from({ length: SETS_AT_ONCE }, storeSome));
}

function endedRecord(n: number): JobRecord {
  const ms = 1_795_493_000_000 + n;
  return {
    state: 'SUCCEEDED',
    runNumber: 1,
    changedAt: ArmadaTime(ms),
    lastEvent: { ms, sequence: 0, index: 0, last: true },
    submittedAt: ArmadaTime(ms - 60_000),
    namespace: 'default',
    run: {
      cluster: `cluster-${n % 3}`,
      node: `node-${n % 40}.example.com`,
      leasedAt: ArmadaTime(ms - 50_000),
      runningAt: ArmadaTime(ms - 40_000),
      endedAt: ArmadaTime(ms),
    },
  };
}
