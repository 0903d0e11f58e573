import { median, thousands, type Figure } from './figure.js';
import { buildLoadGenerator, load } from './load.js';
import { withPolledJobs } from './polled-jobs.js';

const TARGET = 0.7;
// States of jobservice.JobServiceResponse.
const RUNNING = 2;
const SUCCEEDED = 4;

/**
 * Legacy polls of known jobs relative to the echo, in interleaved rounds so that both meet the same noise.
 */
export async function benchPolls(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds, seconds] = quick ? [1_000, 2, 1] : [10_000, 7, 3];
  const generator = buildLoadGenerator();
  const measured = { echo: [] as number[], running: [] as number[], ended: [] as number[] };
  await withPolledJobs(jobs, async ({ queryPort, echoPort, jobSet, running, ended }) => {
    const common = { binary: generator, jobSet, seconds };
    // The first round only warms up: compiled code, connections, caches.
    for (let round = 0; round <= rounds; round++) {
      const speeds = {
        echo: await load({ ...common, port: echoPort, jobIds: running }),
        running: await load({ ...common, port: queryPort, jobIds: running, state: RUNNING }),
        ended: await load({ ...common, port: queryPort, jobIds: ended, state: SUCCEEDED }),
      };
      if (round === 0) continue;
      for (const name of ['echo', 'running', 'ended'] as const)
        measured[name].push(speeds[name].callsPerSecond);
    }
  });
  const ratioTo = (speeds: readonly number[]): number =>
    median(speeds.map((speed, i) => speed / (measured.echo[i] ?? NaN)));
  const figure = (what: string, speeds: readonly number[]): Figure => ({
    what: `${what}, ${thousands(jobs)} jobs, 64 calls over 4 connections`,
    measured: `${thousands(median(speeds))}/s, ${ratioTo(speeds).toFixed(2)} of the echo (${thousands(median(measured.echo))}/s)`,
    target: `${TARGET} of the echo`,
    met: ratioTo(speeds) >= TARGET,
  });
  return [
    figure('polls of running jobs (read from Redis)', measured.running),
    figure('polls of terminal jobs (in memory after the first)', measured.ended),
  ];
}
