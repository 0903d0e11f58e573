import type { JobRecord, JobState } from '@ajs/job-state';
import { RedisJobSink } from '@ajs/job-store';
import { Child, startApp } from './child.js';
import { median, thousands, type Figure } from './figure.js';
import { jobIdOf } from './jobs.js';
import { buildLoadGenerator, load } from './load.js';
import { SINK_OPTIONS, startStore } from './store.js';

const KEY = { queue: 'bench', jobSetId: 'bench' };
const AIM = 0.7;

/** Legacy polls of known jobs, against the least that a call costs: rounds by turns, so that both meet the same noise. */
export async function benchPolls(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds, seconds] = quick ? [1_000, 2, 1] : [10_000, 7, 3];
  const generator = buildLoadGenerator();
  const store = await startStore();
  const writer = await new RedisJobSink(store.redis, SINK_OPTIONS).open(KEY);
  const ids = (from: number): string[] => Array.from({ length: jobs }, (_, n) => jobIdOf(from + n));
  const sets = { running: ids(0), ended: ids(jobs) };
  const write = async (jobIds: readonly string[], state: JobState): Promise<void> => {
    for (let from = 0; from < jobIds.length; from += 500) {
      const record: JobRecord = {
        state,
        runNumber: 1,
        run: { cluster: 'c', node: 'n' },
        changedAt: Date.now(),
      };
      const records = new Map(jobIds.slice(from, from + 500).map((jobId) => [jobId, record]));
      await writer.write({
        cursor: '1:0:0:1',
        records,
        subscription: { state: 'live', reason: '', levelAt: performance.now() },
      });
    }
  };
  await write(sets.running, 'RUNNING');
  await write(sets.ended, 'SUCCEEDED');

  const query = await startApp('query', { REDIS_URL: store.server.url, ARMADA_URL: '127.0.0.1:1' });
  const echo = await Child.start(
    'dist/bench/main.js',
    ['--role', 'echo'],
    {},
    (line) => JSON.parse(line) as { listening: number },
  );
  const queryPort = Number(query.told['grpcPort']);
  const measured = { echo: [] as number[], running: [] as number[], ended: [] as number[] };
  try {
    // Once for nothing: code is compiled, connections and caches are warm.
    for (const round of Array.from({ length: rounds + 1 }, (_, i) => i)) {
      const speeds = {
        echo: (await load(generator, echo.told.listening, sets.running, seconds)).callsPerSecond,
        running: (await load(generator, queryPort, sets.running, seconds)).callsPerSecond,
        ended: (await load(generator, queryPort, sets.ended, seconds)).callsPerSecond,
      };
      if (round === 0) continue;
      for (const name of ['echo', 'running', 'ended'] as const) measured[name].push(speeds[name]);
    }
  } finally {
    await query.child.stop();
    await echo.child.stop();
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
    figure('polls of jobs that run (one Redis round trip each)', measured.running),
    figure('polls of jobs that have ended (from memory after the first)', measured.ended),
  ];
}
