import { Child, startApp } from './child.js';
import { jobSetOf } from './fake-events.js';
import { median, thousands, type Figure } from './figure.js';
import { followAll } from './following.js';
import { jobIdOf } from './jobs.js';
import { buildLoadGenerator, load } from './load.js';
import { startStore } from './store.js';

const AIM = 0.7;
// Of jobservice.JobServiceResponse.
const RUNNING = 2;
const SUCCEEDED = 4;

/**
 * Legacy polls of known jobs, against the least that a call costs: rounds by turns, so that both meet the same noise. An
 * ingester wrote the jobs; it and its Armada have ended when the polls begin.
 */
export async function benchPolls(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds, seconds] = quick ? [1_000, 2, 1] : [10_000, 7, 3];
  const generator = buildLoadGenerator();
  const store = await startStore();
  const measured = { echo: [] as number[], running: [] as number[], ended: [] as number[] };
  const started: Child[] = [];
  try {
    await followAll(store, { jobSets: 1, jobs: 2 * jobs, running: jobs });
    const query = await startApp('query', { REDIS_URL: store.server.url, ARMADA_URL: '127.0.0.1:1' });
    started.push(query.child);
    const echo = await Child.start(
      'dist/bench/main.js',
      ['--role', 'echo'],
      {},
      (line) => JSON.parse(line) as { listening: number },
    );
    started.push(echo.child);
    const ids = Array.from({ length: 2 * jobs }, (_, n) => jobIdOf(n));
    const common = { binary: generator, jobSet: jobSetOf(0), seconds };
    const ofQuery = { ...common, port: Number(query.told['grpcPort']) };
    const [running, ended] = [ids.slice(0, jobs), ids.slice(jobs)];
    // Once for nothing: code is compiled, connections and caches are warm.
    for (let round = 0; round <= rounds; round++) {
      const speeds = {
        echo: await load({ ...common, port: echo.told.listening, jobIds: running }),
        running: await load({ ...ofQuery, jobIds: running, state: RUNNING }),
        ended: await load({ ...ofQuery, jobIds: ended, state: SUCCEEDED }),
      };
      if (round === 0) continue;
      for (const name of ['echo', 'running', 'ended'] as const)
        measured[name].push(speeds[name].callsPerSecond);
    }
  } finally {
    for (const child of started) await child.stop();
    await store.stop();
  }
  const ratioTo = (speeds: readonly number[]): number =>
    median(speeds.map((speed, i) => speed / (measured.echo[i] ?? NaN)));
  const figure = (what: string, speeds: readonly number[]): Figure => ({
    what: `${what}, ${thousands(jobs)} jobs, 64 calls over 4 connections`,
    measured: `${thousands(median(speeds))}/s, ${ratioTo(speeds).toFixed(2)} of a bare echo (${thousands(median(measured.echo))}/s)`,
    aim: `${AIM} of a bare echo`,
    met: ratioTo(speeds) >= AIM,
  });
  return [
    figure('polls of jobs that run (read from Redis)', measured.running),
    figure('polls of jobs that have ended (from memory after the first)', measured.ended),
  ];
}
