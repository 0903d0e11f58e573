import { JobId } from '@ajs/job-state';
import { eventually } from '@ajs/testing';
import { ChangingJobs, type Change } from './changing-jobs.js';
import { cpuMs } from './cpu.js';
import { quantile, thousands, type Figure } from './figure.js';
import { buildLoadGenerator } from './load.js';
import { OpenCalls, wallMs, type EndedCall } from './open-calls.js';
import { startStore } from './store.js';
import { startWatchedQuery } from './watched-query.js';

const READERS = 1_000;
/** Each reader receives all of them first. */
const JOBS = 100;
const RATES = [100, 1_000];
const CONNECTIONS = 4;
const OPENED_PER_SECOND = 200;
/** Behind the last change. Milliseconds. */
const KEEPS_UP_MS = 1_000;
const PATIENCE_MS = 60_000;

/** Readers of one job set, and how they keep up with its changes. */
export async function benchReaders(quick: boolean): Promise<Figure[]> {
  const binary = buildLoadGenerator();
  const figures: Figure[] = [];
  for (const rate of RATES) figures.push(await figureAt(rate, quick ? 3 : 10, binary));
  return figures;
}

async function figureAt(rate: number, seconds: number, binary: string): Promise<Figure> {
  const store = await startStore();
  const jobs = await ChangingJobs.open(store.redis, { jobSets: 1, jobs: JOBS });
  const query = await startWatchedQuery(store);
  const ended: EndedCall[] = [];
  const readers = OpenCalls.start(
    Array.from({ length: READERS }, () => ({ key: jobs.keyOf(0) })),
    {
      ...{ binary, port: query.port, connections: CONNECTIONS, perSecond: OPENED_PER_SECOND },
      onEnd: (call) => ended.push(call),
    },
  );
  try {
    await query.whenOpen('watchJobSet', READERS, ended);
    const jobIds = jobs.jobIds(0);
    const [first = JobId('')] = jobIds;
    const changes = Array.from({ length: rate * seconds }, (_, n): Change => {
      const round = Math.floor(n / JOBS);
      return {
        set: 0,
        jobId: jobIds[n % JOBS] ?? first,
        state: round % 2 === 0 ? 'PENDING' : 'RUNNING',
      };
    });
    const cpuBefore = cpuMs(query.pid);
    await jobs.change(changes, rate, () => undefined);
    const lastAt = wallMs();
    await jobs.write(0, [[first, 'SUCCEEDED']]);
    await eventually(
      'each reader received all, or the error that it is too slow',
      () => ended.length === READERS,
      PATIENCE_MS,
    );
    const cpu = cpuMs(query.pid) - cpuBefore;
    const told = ended.filter(({ code }) => code === 'OK');
    const tooSlow = ended.filter(({ code }) => code === 'ResourceExhausted').length;
    const events = ended.reduce((sum, call) => sum + call.jobs, 0);
    const behindMs = told.map(({ atMs }) => atMs - lastAt);
    const p99 = quantile(behindMs, 0.99);
    const behind = told.length === 0 ? '' : `, the last change received after p99 ${p99.toFixed(0)} ms`;
    return {
      what: `${thousands(READERS)} streams of WatchJobSet of one job set, ${thousands(rate)} changes a second`,
      measured:
        `${thousands(told.length)} received all${behind}, ${thousands(tooSlow)} were too slow; ` +
        `${((cpu * 1_000) / events).toFixed(1)} µs of CPU of the query for each of ${thousands(events)} events`,
      target: `all received within ${KEEPS_UP_MS / 1_000} s, or the error that they are too slow`,
      met: told.length + tooSlow === READERS && !(p99 > KEEPS_UP_MS),
    };
  } finally {
    await readers.stop();
    await query.stop();
    jobs.close();
    await store.stop();
  }
}
