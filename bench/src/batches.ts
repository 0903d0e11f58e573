import { ChangingJobs } from './changing-jobs.js';
import { cpuMs } from './cpu.js';
import { median, thousands, type Figure } from './figure.js';
import { buildLoadGenerator, load } from './load.js';
import { startStore } from './store.js';
import { startWatchedQuery } from './watched-query.js';

const METHODS = ['api.Jobs/GetJobStatus', 'jobservice.v2.JobStatusService/BatchGetJobs'] as const;
const BATCHES = [1, 100, 1_000];
const KINDS = ['ended', 'running'] as const;
const TARGET_SHARE = 0.8;

interface Speed {
  readonly statesPerSecond: number;
  readonly cpuMicros: number;
}

/** The larger a call, the fewer are made at once: a round is short. */
const callersOf = (batch: number): number => (batch === 1_000 ? 16 : 64);

/** BatchGetJobs, which gives whole jobs, beside `api.Jobs/GetJobStatus`, which gives states, of the same jobs and in turns. */
export async function benchBatches(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds, seconds] = quick ? [2_000, 2, 2] : [10_000, 3, 2];
  const binary = buildLoadGenerator();
  const store = await startStore();
  const changing = await ChangingJobs.open(store.redis, { jobSets: 1, jobs: 2 * jobs });
  const query = await startWatchedQuery(store);
  try {
    const jobIds = changing.jobIds(0);
    await changing.write(
      0,
      jobIds.slice(jobs).map((jobId) => [jobId, 'SUCCEEDED'] as const),
    );
    const ofKind = { running: jobIds.slice(0, jobs), ended: jobIds.slice(jobs) };
    const speeds = new Map<string, Speed[]>();
    // The first round only warms up: compiled code, connections, caches.
    for (let round = 0; round <= rounds; round++) {
      for (const kind of KINDS) {
        for (const batch of BATCHES) {
          for (const method of METHODS) {
            const before = cpuMs(query.pid);
            const options = {
              binary,
              port: query.port,
              jobSet: changing.keyOf(0),
              jobIds: ofKind[kind],
              method,
              batch,
              seconds,
              callers: callersOf(batch),
            };
            const { calls, callsPerSecond } = await load(options);
            const cpuMicros = ((cpuMs(query.pid) - before) * 1_000) / (calls * batch);
            const name = `${method} ${kind} ${batch}`;
            speeds.set(name, [
              ...(speeds.get(name) ?? []),
              { statesPerSecond: callsPerSecond * batch, cpuMicros },
            ]);
          }
        }
      }
    }
    const of = (name: string, figure: keyof Speed): number =>
      median((speeds.get(name) ?? []).slice(1).map((speed) => speed[figure]));
    return KINDS.flatMap((kind) =>
      BATCHES.map((batch): Figure => {
        const [beside, name] = METHODS.map((method) => `${method} ${kind} ${batch}`) as [string, string];
        const share = of(name, 'statesPerSecond') / of(beside, 'statesPerSecond');
        return {
          what: `\`BatchGetJobs\`, ${thousands(batch)} ${kind} ${batch === 1 ? 'job' : 'jobs'} per call, ${callersOf(batch)} calls over 4 connections`,
          measured:
            `${thousands(of(name, 'statesPerSecond'))} jobs/s, ${share.toFixed(2)} of \`${METHODS[0]}\`; ` +
            `${of(name, 'cpuMicros').toFixed(2)} µs of CPU per job, ${of(beside, 'cpuMicros').toFixed(2)} there`,
          target: `${TARGET_SHARE} of its states/s`,
          met: share >= TARGET_SHARE,
        };
      }),
    );
  } finally {
    await query.stop();
    changing.close();
    await store.stop();
  }
}
