import { cpuMs } from './cpu.js';
import { median, thousands, type Figure } from './figure.js';
import { buildLoadGenerator, load, type Load } from './load.js';
import { withPolledJobs, type Measured } from './polled-jobs.js';

/** Of the echo. */
const TARGET_SPEEDS = { running: 0.8, ended: 0.85 };
/** Times the echo's. */
const TARGET_P99 = 1.3;
/** Above the echo. Milliseconds. */
const TARGET_LONE_P50_MS = 0.35;
const CALLERS = [1, 16, 64, 256];
/** The number of callers that speeds are compared at. */
const BUSY = 64;
/** Of each server at {@link BUSY} callers: until then much of the code of a poll is not compiled by the optimizing compiler. */
const WARM_UP_SECONDS = 5;
// States of jobservice.JobServiceResponse.
const STATES = { running: 2, ended: 4 };
const SERVED = { running: 'running jobs (read from Redis)', ended: 'ended jobs (in memory after the first)' };

interface Round extends Load {
  /** Of the process that serves. */
  readonly cpuMicros: number;
}

/** The one that reads from Redis is the least that a poll of a running job can cost. */
const ECHOES = ['echo', 'readingEcho'] as const;
const KINDS = [...ECHOES, 'running', 'ended'] as const;
type Kind = (typeof KINDS)[number];

/** Legacy polls of known jobs beside the echo and one that reads from Redis, in interleaved rounds so that both meet the same noise. */
export async function benchPolls(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds, roundSeconds] = quick ? [1_000, 3, 0.5] : [10_000, 5, 1];
  const binary = buildLoadGenerator();
  const measured = new Map(
    CALLERS.map((callers) => [
      callers,
      { echo: [] as Round[], readingEcho: [] as Round[], running: [] as Round[], ended: [] as Round[] },
    ]),
  );
  await withPolledJobs(jobs, async ({ query, echo, readingEcho, jobSet, running, ended }) => {
    const jobIds = { echo: running, readingEcho: running, running, ended };
    const servers: Record<Kind, Measured> = { echo, readingEcho, running: query, ended: query };
    const measure = async (kind: Kind, callers: number, seconds: number): Promise<Round> => {
      const { port, pid } = servers[kind];
      const before = cpuMs(pid);
      const result = await load({
        ...{ binary, port, jobSet, seconds, callers, jobIds: jobIds[kind] },
        ...((kind === 'running' || kind === 'ended') && { state: STATES[kind] }),
      });
      return { ...result, cpuMicros: ((cpuMs(pid) - before) * 1_000) / result.calls };
    };
    for (const kind of KINDS) await measure(kind, BUSY, WARM_UP_SECONDS);
    for (let round = 0; round < rounds; round++) {
      for (const [callers, results] of measured) {
        for (const kind of KINDS) results[kind].push(await measure(kind, callers, roundSeconds));
      }
    }
  });
  return [...measured].flatMap(([callers, { echo, readingEcho, running, ended }]) => [
    figureOf('running', callers, running, echo, readingEcho),
    figureOf('ended', callers, ended, echo),
  ]);
}

function figureOf(
  kind: keyof typeof STATES,
  callers: number,
  polls: readonly Round[],
  echo: readonly Round[],
  readingEcho?: readonly Round[],
): Figure {
  const of = (rounds: readonly Round[], name: keyof Round): number =>
    median(rounds.map((round) => round[name]));
  const ratio = (name: keyof Round, beside = echo): number =>
    median(polls.map((round, i) => round[name] / (beside[i]?.[name] ?? NaN)));
  const ms = (name: 'p50Ms' | 'p99Ms'): string =>
    `${of(polls, name).toFixed(2)} (${of(echo, name).toFixed(2)}) ms`;
  const more = median(polls.map((round, i) => round.p50Ms - (echo[i]?.p50Ms ?? NaN)));
  const measured = [
    `${thousands(of(polls, 'callsPerSecond'))}/s, ${ratio('callsPerSecond').toFixed(2)} of the echo (${thousands(of(echo, 'callsPerSecond'))}/s)`,
    `p50 ${ms('p50Ms')}`,
    `p99 ${ms('p99Ms')}, ${ratio('p99Ms').toFixed(2)} times`,
    `CPU ${of(polls, 'cpuMicros').toFixed(0)} (${of(echo, 'cpuMicros').toFixed(0)}) µs a call`,
    readingEcho === undefined
      ? []
      : `beside an echo that reads from Redis: ${ratio('callsPerSecond', readingEcho).toFixed(2)} of its speed, ` +
        `p50 ${ratio('p50Ms', readingEcho).toFixed(2)}, p99 ${ratio('p99Ms', readingEcho).toFixed(2)} and ` +
        `CPU ${ratio('cpuMicros', readingEcho).toFixed(2)} times`,
  ]
    .flat()
    .join('; ');
  const what = `polls of ${SERVED[kind]}, ${callers === 1 ? 'one call at a time' : `${callers} calls over 4 connections`}`;
  if (callers === 1) {
    return {
      what,
      measured,
      target: `p50 at most ${TARGET_LONE_P50_MS} ms more than the echo`,
      met: more <= TARGET_LONE_P50_MS,
    };
  }
  const p99Met = ratio('p99Ms') <= TARGET_P99;
  if (callers !== BUSY) return { what, measured, target: `p99 ${TARGET_P99} times the echo's`, met: p99Met };
  return {
    what,
    measured,
    target: `${TARGET_SPEEDS[kind]} of the echo, p99 ${TARGET_P99} times its`,
    met: p99Met && ratio('callsPerSecond') >= TARGET_SPEEDS[kind],
  };
}
