import { setTimeout as sleep } from 'node:timers/promises';
import type { JobId, JobSetKey } from '@ajs/job-state';
import { RedisJobLister } from '@ajs/job-store';
import { InterestStore } from '@ajs/subscriptions';
import { FakeArmada, eventually, jobEvents } from '@ajs/testing';
import { startApp } from './child.js';
import { QUEUE, jobSetOf } from './fake-events.js';
import { quantile, thousands, type Figure } from './figure.js';
import { recordInterest } from './interest.js';
import { jobIdOf } from './jobs.js';
import { startStore, type Store } from './store.js';

const JOB = { namespace: 'default', annotations: {} };
const POLL_EVERY_MS = 10_000;
const BUSY = 50;
const READS_PER_SECOND = 200;
/** A watch is due so long after a read has shown that a job set is busy. */
const WATCHED_WITHIN_MS = 10_000;
const TARGET_P50_MS = 50;
const TARGET_P99_MS = 1_000;

/**
 * Who gets a watch: of many job sets that are polled and had an event at their start, some go on with an event a second, and later others
 * do instead.
 */
export async function benchHeat(quick: boolean): Promise<Figure[]> {
  // Each job set has been read once more by then, with what the schedule leaves free for others.
  const roundMs = (jobSets: number): number => (jobSets * 1_000) / (READS_PER_SECOND * 0.8);
  const [jobSets, budget, measuredMs] = quick ? [1_000, 100, 10_000] : [3_000, 200, 15_000];
  const store = await startStore();
  const armada = new FakeArmada();
  armada.state.queues.add(QUEUE);
  const keys = Array.from({ length: jobSets }, (_, set) => jobSetOf(set));
  let nextJob = 0;
  const sendEvent = (key: JobSetKey): JobId => {
    const ref = { ...key, jobId: jobIdOf(nextJob++) };
    armada.state.openLog(key.queue, key.jobSetId).append(jobEvents.running(ref, JOB));
    return ref.jobId;
  };
  const replica = await startApp('ingester', {
    REDIS_URL: store.server.url,
    ARMADA_URL: await armada.listen('127.0.0.1:0'),
    WATCH_BUDGET: `${budget}`,
    UPSTREAM_READS_PER_SECOND: `${READS_PER_SECOND}`,
    LOG_LEVEL: 'info',
  });
  const ending = new AbortController();
  const polling = poll(store, keys, ending.signal);
  const lister = new RedisJobLister(store.redis);
  try {
    for (const key of keys) sendEvent(key);
    await recordInterest(store, keys);
    for (const key of keys) {
      const synced = async (): Promise<unknown> => (await lister.read(key, [])).subscription?.syncedAt;
      await eventually(`${key.jobSetId} was read once`, synced, 120_000);
    }
    await eventually('the budget is used', () => armada.events.watches >= budget, 60_000);
    const figures: Figure[] = [];
    for (const [who, busy] of [
      ['the first', keys.slice(-BUSY)],
      ['others', keys.slice(-2 * BUSY, -BUSY)],
    ] as const) {
      const dueMs = WATCHED_WITHIN_MS + roundMs(jobSets);
      await keepBusy(busy, sendEvent, dueMs);
      const opened = armada.events.watchesOpened;
      const readable: Promise<number>[] = [];
      await keepBusy(busy, sendEvent, measuredMs, (key, jobId) =>
        readable.push(whenReadable(lister, key, jobId)),
      );
      const perMinute = ((armada.events.watchesOpened - opened) * 60_000) / measuredMs;
      const seenMs = await Promise.all(readable);
      const [p50, p99] = [quantile(seenMs, 0.5), quantile(seenMs, 0.99)];
      figures.push({
        what: `event to readable state, ${thousands(jobSets)} polled job sets and ${budget} watches, ${who} ${BUSY} with an event a second, from ${(dueMs / 1_000).toFixed(0)} s after they began`,
        measured: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms; ${perMinute.toFixed(0)} watches opened per minute`,
        target: `p50 at most ${TARGET_P50_MS} ms, p99 at most ${TARGET_P99_MS} ms`,
        met: p50 <= TARGET_P50_MS && p99 <= TARGET_P99_MS,
      });
    }
    return figures;
  } finally {
    ending.abort();
    await polling;
    await replica.child.stop();
    armada.stop();
    await store.stop();
  }
}

/** All job sets are polled all the time. */
async function poll(store: Store, keys: readonly JobSetKey[], signal: AbortSignal): Promise<void> {
  const interest = new InterestStore(store.redis);
  while (!signal.aborted) {
    await Promise.all(keys.map((key) => interest.record(key)));
    await sleep(POLL_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Sends each of these job sets an event a second, for so long; `onSent` hears of every fifth: measuring must not cost what is measured. */
async function keepBusy(
  keys: readonly JobSetKey[],
  sendEvent: (key: JobSetKey) => JobId,
  forMs: number,
  onSent: (key: JobSetKey, jobId: JobId) => void = () => undefined,
): Promise<void> {
  const began = performance.now();
  while (performance.now() - began < forMs) {
    for (const [n, key] of keys.entries()) {
      const jobId = sendEvent(key);
      if (n % 5 === 0) onSent(key, jobId);
      await sleep(1_000 / keys.length);
    }
  }
}

/** Resolves to how long the state of a job took to be readable, milliseconds. */
async function whenReadable(lister: RedisJobLister, key: JobSetKey, jobId: JobId): Promise<number> {
  const sentAt = performance.now();
  while (!(await lister.read(key, [jobId])).jobs.has(jobId)) await sleep(5);
  return performance.now() - sentAt;
}
