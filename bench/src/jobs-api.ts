import { thousands, median, type Figure } from './figure.js';
import { buildLoadGenerator, load } from './load.js';
import { withPolledJobs } from './polled-jobs.js';

const BATCHES = [1, 100, 500];
const METHOD = 'api.Jobs/GetJobStatus';

/**
 * States per second by `api.Jobs` in batches, relative to legacy polls and to the echo, interleaved so that all meet the same
 * noise.
 */
export async function benchJobsApi(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds, seconds] = quick ? [1_000, 2, 1] : [10_000, 5, 3];
  const binary = buildLoadGenerator();
  return withPolledJobs(jobs, async ({ query, echo, running, jobSet }) => {
    const common = { binary, jobSet, jobIds: running, seconds };
    const speeds: Record<string, number[]> = {};
    const measure = async (name: string, options: Partial<Parameters<typeof load>[0]>, keep: boolean) => {
      const { callsPerSecond } = await load({ ...common, port: query.port, ...options });
      if (keep) (speeds[name] ??= []).push(callsPerSecond);
    };
    // The first round only warms up: compiled code, connections, caches.
    for (let round = 0; round <= rounds; round++) {
      await measure('echo', { port: echo.port }, round > 0);
      await measure('legacy', {}, round > 0);
      for (const batch of BATCHES) await measure(`${batch}`, { method: METHOD, batch }, round > 0);
    }
    const of = (name: string): number => median(speeds[name] ?? []);
    return BATCHES.map((batch): Figure => {
      const states = of(`${batch}`) * batch;
      return {
        what: `\`api.Jobs/GetJobStatus\`, ${batch} running ${batch === 1 ? 'job' : 'jobs'} per call, 64 calls over 4 connections`,
        measured:
          `${thousands(states)} states/s, ${(states / of('legacy')).toFixed(2)} of legacy polls, ` +
          `${(of(`${batch}`) / of('echo')).toFixed(2)} of the echo's calls`,
        target: '',
      };
    });
  });
}
