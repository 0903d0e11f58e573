import { msBetween, type JobId } from '@ajs/job-state';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisJobLister } from '@ajs/job-store';
import { InterestStore } from '@ajs/subscriptions';
import { FakeArmada, eventually, jobEvents } from '@ajs/testing';
import { startApp } from './child.js';
import { QUEUE, jobSetOf } from './fake-events.js';
import { quantile, thousands, type Figure } from './figure.js';
import { recordInterest } from './interest.js';
import { jobIdOf } from './jobs.js';
import { NODE_OF_CONTAINER, residentKib } from './memory.js';
import { startStore, type Store } from './store.js';

const READS = '/api.Event/GetJobSetEvents';
const JOB = { namespace: 'default', annotations: {} };
/** The interval between events of one busy job set. */
const EVENT_EVERY_MS = 2_000;
const POLL_EVERY_MS = 10_000;
/** Reads per second are averaged over so many seconds. */
const WINDOW_SECONDS = 10;
const TARGET_BUSY_MS = 1_000;
const TARGET_KIB = 25;

/** Far more followed job sets than watches, on two ingester replicas; some of them are busy. */
export async function benchScale(quick: boolean): Promise<Figure[]> {
  const [jobSets, busy, readsPerSecond, seconds] = quick ? [2_000, 50, 50, 20] : [20_000, 500, 200, 120];
  // Two rounds of reads of idle job sets.
  const targetIdleMs = (jobSets / readsPerSecond) * 1_000 * 2;
  const store = await startStore();
  const armada = new FakeArmada();
  armada.state.queues.add(QUEUE);
  const env = {
    REDIS_URL: store.server.url,
    ARMADA_URL: await armada.listen('127.0.0.1:0'),
    WATCH_BUDGET: `${busy}`,
    UPSTREAM_READS_PER_SECOND: `${readsPerSecond}`,
    LOG_LEVEL: 'info',
    NODE_OPTIONS: NODE_OF_CONTAINER,
  };
  for (let set = 0; set < jobSets; set++) {
    const ref = { ...jobSetOf(set), jobId: jobIdOf(set) };
    const log = armada.state.openLog(ref.queue, ref.jobSetId);
    const longAgo = Date.now() - 3_600_000;
    log.append(jobEvents.submitted(ref, JOB), longAgo);
    log.append(
      [...jobEvents.leased(ref), ...jobEvents.pending(ref, JOB), ...jobEvents.running(ref, JOB)],
      longAgo,
    );
    log.append(jobEvents.succeeded(ref), longAgo);
  }
  const replicas = await Promise.all([startApp('ingester', env), startApp('ingester', env)]);
  const pids = replicas.map(({ child }) => child.pid);
  const before = pids.map(residentKib);
  const keys = Array.from({ length: jobSets }, (_, set) => jobSetOf(set));
  const seen = {
    watches: 0,
    leases: 0,
    windows: [] as number[],
    busyMs: [] as number[],
    from: Infinity,
    idleMs: [] as number[],
  };
  const ending = new AbortController();
  const busyNow = runBusy(armada, store, keys.slice(0, busy), jobSets, seen, ending.signal);
  const watching = watchArmada(armada, store, seen, ending.signal);
  const lister = new RedisJobLister(store.redis);
  try {
    const began = performance.now();
    await recordInterest(store, keys);
    for (const key of keys) {
      await eventually(
        `${key.jobSetId} was read once`,
        async () => (await lister.read(key, [])).subscription?.syncedAt,
        (3 * jobSets * 1_000) / readsPerSecond,
      );
    }
    const firstRound = performance.now() - began;
    await eventually('the busy ones are watched', () => armada.events.watches >= busy, 60_000);
    const settled = performance.now() - began;
    seen.from = performance.now();
    seen.windows.length = 0;
    for (let second = 0; second < seconds; second++) {
      for (let n = 0; n < 100; n++) {
        const key = keys[busy + Math.floor(Math.random() * (jobSets - busy))];
        const view = key && (await lister.read(key, []));
        if (view?.subscription?.syncedAt !== undefined)
          seen.idleMs.push(msBetween(view.subscription.syncedAt, view.now));
      }
      await sleep(1_000);
    }
    const grown = pids.reduce((sum, pid, i) => sum + residentKib(pid) - (before[i] ?? 0), 0);
    const p99 = { busy: quantile(seen.busyMs, 0.99), idle: quantile(seen.idleMs, 0.99) };
    const reads = Math.max(...seen.windows);
    const kib = grown / jobSets;
    const of = `${thousands(jobSets)} job sets, ${busy} busy, two replicas`;
    return [
      {
        what: `watches open at Armada at once: ${of}`,
        measured: `${seen.watches} at most`,
        target: `${busy} and 5 % at most`,
        met: seen.watches <= busy * 1.05,
      },
      {
        what: `reads per second at Armada, over ${WINDOW_SECONDS} s, after the first round`,
        measured: `${reads.toFixed(0)} at most`,
        target: `${readsPerSecond} at most`,
        met: reads <= readsPerSecond,
      },
      {
        what: 'event to readable state, busy job sets',
        measured: `p50 ${quantile(seen.busyMs, 0.5).toFixed(0)} ms, p99 ${p99.busy.toFixed(0)} ms`,
        target: `p99 under ${TARGET_BUSY_MS} ms`,
        met: p99.busy < TARGET_BUSY_MS,
      },
      {
        what: 'age of polled states, idle job sets',
        measured: `p50 ${(quantile(seen.idleMs, 0.5) / 1_000).toFixed(0)} s, p99 ${(p99.idle / 1_000).toFixed(0)} s`,
        target: `p99 under ${targetIdleMs / 1_000} s`,
        met: p99.idle < targetIdleMs,
      },
      {
        what: 'leases held at once',
        measured: `${seen.leases} at most`,
        target: 'under 3,000',
        met: seen.leases < 3_000,
      },
      {
        what: 'from the first interest: all read once; the busy ones watched',
        measured: `${(firstRound / 1_000).toFixed(0)} s; ${(settled / 1_000).toFixed(0)} s`,
        target: '',
      },
      {
        what: 'memory of both replicas together, per followed job set',
        measured: `${kib.toFixed(1)} KiB (${(grown / 1_024).toFixed(0)} MiB in all)`,
        target: `at most ${TARGET_KIB} KiB`,
        met: kib <= TARGET_KIB,
      },
    ];
  } finally {
    ending.abort();
    await Promise.all([busyNow, watching]);
    for (const { child } of replicas) await child.stop();
    armada.stop();
    await store.stop();
  }
}

/** Keeps starting jobs in these job sets, records interest in them, and measures how long their states take to be readable. */
async function runBusy(
  armada: FakeArmada,
  store: Store,
  keys: readonly ReturnType<typeof jobSetOf>[],
  firstJob: number,
  seen: { readonly from: number; readonly busyMs: number[] },
  signal: AbortSignal,
): Promise<void> {
  const lister = new RedisJobLister(store.redis);
  const interest = new InterestStore(store.redis);
  const isOver = (): boolean => signal.aborted;
  let next = firstJob;
  let polledAt = -Infinity;
  const readable = async (key: (typeof keys)[number], jobId: JobId, sent: number): Promise<void> => {
    while (!isOver() && !(await lister.read(key, [jobId])).jobs.has(jobId)) await sleep(5);
    seen.busyMs.push(performance.now() - sent);
  };
  while (!isOver()) {
    const round = performance.now();
    if (round - polledAt >= POLL_EVERY_MS) {
      polledAt = round;
      await Promise.all(keys.map((key) => interest.record(key)));
    }
    for (const [n, key] of keys.entries()) {
      const due = round + (n * EVENT_EVERY_MS) / keys.length;
      if (due > performance.now() + 5) await sleep(due - performance.now());
      if (isOver()) return;
      const jobId = jobIdOf(next++);
      armada.state.openLog(key.queue, key.jobSetId).append(jobEvents.running({ ...key, jobId }, JOB));
      // A sample, once they are watched: measuring must not cost what is measured.
      if (n % 10 === 0 && round >= seen.from) void readable(key, jobId, performance.now());
    }
    await sleep(Math.max(0, round + EVENT_EVERY_MS - performance.now()));
  }
}

/** Records every second the open watches and reads at Armada, and the leases held. */
async function watchArmada(
  armada: FakeArmada,
  store: Store,
  seen: { watches: number; leases: number; windows: number[] },
  signal: AbortSignal,
): Promise<void> {
  const counts: number[] = [];
  while (!signal.aborted) {
    seen.watches = Math.max(seen.watches, armada.events.watches);
    seen.leases = Math.max(seen.leases, await store.redis.llen('{ajs}:follow:active'));
    counts.push(armada.calls.count(READS));
    const from = counts.at(-1 - WINDOW_SECONDS);
    if (from !== undefined) seen.windows.push(((counts.at(-1) ?? 0) - from) / WINDOW_SECONDS);
    await sleep(1_000);
  }
}
