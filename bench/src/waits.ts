import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '@ajs/testing';
import { ChangingJobs } from './changing-jobs.js';
import { cpuMs } from './cpu.js';
import { quantile, thousands, type Figure } from './figure.js';
import { buildLoadGenerator } from './load.js';
import { residentKib } from './memory.js';
import { OpenCalls, wallMs, type EndedCall, type OpenCall } from './open-calls.js';
import { startStore } from './store.js';
import { startWatchedQuery } from './watched-query.js';

const TARGET_KIB = 15;
const TARGET_REST = 0.03;
const TARGET_P50_MS = 10;
const TARGET_P99_MS = 50;
const JOB_SETS = 100;
const CHANGES_PER_SECOND = 1_000;
const OPENED_PER_SECOND = 1_000;
/** gRPC allows 1,000 calls for each. */
const CALLS_PER_CONNECTION = 800;
/** What a query takes for its first calls, it takes once: memory is compared from here on. */
const FIRST_SHARE = 0.1;
/** Until what connecting and reading has left behind is collected. Milliseconds. */
const SETTLE_MS = 5_000;

/** Calls of `WaitForJobs`, for a job each: what they cost at rest, and how soon they are answered. */
export async function benchWaits(quick: boolean): Promise<Figure[]> {
  const [waits, restMs, changes] = quick ? [5_000, 5_000, 3_000] : [20_000, 10_000, 15_000];
  const binary = buildLoadGenerator();
  const store = await startStore();
  const jobs = await ChangingJobs.open(store.redis, { jobSets: JOB_SETS, jobs: waits / JOB_SETS });
  const query = await startWatchedQuery(store);
  // Neighbours are in different job sets.
  const calls = Array.from({ length: waits }, (_, n): OpenCall & { readonly set: number } => {
    const set = n % JOB_SETS;
    const jobId = jobs.jobIds(set)[Math.floor(n / JOB_SETS)];
    return { set, key: jobs.keyOf(set), ...(jobId !== undefined && { jobId }) };
  });
  const ended: EndedCall[] = [];
  const open = (some: readonly OpenCall[]): OpenCalls =>
    OpenCalls.start(some, {
      ...{ binary, port: query.port, perSecond: OPENED_PER_SECOND, onEnd: (call) => ended.push(call) },
      connections: Math.ceil(some.length / CALLS_PER_CONNECTION),
    });
  const processes: OpenCalls[] = [];
  try {
    const first = waits * FIRST_SHARE;
    processes.push(open(calls.slice(0, first)));
    await query.whenOpen('waitForJobs', first, ended);
    const before = await settledKib(query.pid);
    processes.push(open(calls.slice(first)));
    await query.whenOpen('waitForJobs', waits, ended);
    const kib = ((await settledKib(query.pid)) - before) / (waits - first);
    const rest = await restOf(query.pid, restMs);

    const writtenAt = new Map<string, number>();
    const cpuBefore = cpuMs(query.pid);
    const some = calls
      .slice(0, changes)
      .flatMap(({ set, jobId }) => (jobId === undefined ? [] : [{ set, jobId }]));
    await jobs.change(
      some.map((job) => ({ ...job, state: 'SUCCEEDED' })),
      CHANGES_PER_SECOND,
      (written) => {
        for (const { jobId } of written) writtenAt.set(jobId, wallMs());
      },
    );
    await eventually('all are answered', () => ended.length >= changes);
    const cpuMicros = ((cpuMs(query.pid) - cpuBefore) * 1_000) / changes;
    const failed = ended.find(({ code, jobs: told }) => code !== 'OK' || told !== 1);
    if (failed !== undefined) throw new Error(`a wait ended with ${failed.code} before its job`);
    const latencies = ended.map(({ atMs, jobId }) => atMs - (writtenAt.get(jobId) ?? NaN));
    const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
    const what = `${thousands(waits)} calls of WaitForJobs, for a job each, in ${JOB_SETS} job sets`;
    return [
      {
        what: `memory of a query for each of ${what}`,
        measured: `${kib.toFixed(1)} KiB`,
        target: `at most ${TARGET_KIB} KiB`,
        met: kib <= TARGET_KIB,
      },
      {
        what: `CPU of a query while nothing changes, ${what}`,
        measured: `${(rest * 100).toFixed(1)} % of a core`,
        target: `under ${TARGET_REST * 100} %`,
        met: rest < TARGET_REST,
      },
      {
        what: `from the write of a change to the answer of its call, ${thousands(CHANGES_PER_SECOND)} changes a second, ${what}`,
        measured: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; ${cpuMicros.toFixed(0)} µs of CPU of the query for each`,
        target: `p50 under ${TARGET_P50_MS} ms, p99 under ${TARGET_P99_MS} ms`,
        met: p50 < TARGET_P50_MS && p99 < TARGET_P99_MS,
      },
    ];
  } finally {
    for (const each of processes) await each.stop();
    await query.stop();
    jobs.close();
    await store.stop();
  }
}

async function settledKib(pid: number): Promise<number> {
  await sleep(SETTLE_MS);
  return residentKib(pid);
}

/** The share of a core that a process takes. */
async function restOf(pid: number, ms: number): Promise<number> {
  const [cpuBefore, began] = [cpuMs(pid), performance.now()];
  await sleep(ms);
  return (cpuMs(pid) - cpuBefore) / (performance.now() - began);
}
