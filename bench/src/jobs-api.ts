import { cpuMs } from './cpu.js';
import { median, thousands, type Figure } from './figure.js';
import { buildLoadGenerator, load, type Load } from './load.js';
import { withPolledJobs, type PolledJobs, type Measured } from './polled-jobs.js';

const METHOD = 'api.Jobs/GetJobStatus';
const BATCHES = [1, 100, 300, 500];
const KINDS = ['ended', 'running'] as const;
/** Of states per second, or of a handler that answers from memory what is then asked for. */
const TARGETS: Readonly<Record<string, number>> = { 'ended 500': 400_000, 'running 500': 200_000 };
const TARGET_SHARE = 0.7;
const COLD_BATCH = 1_000;
/** Enough for ten such calls: the first ones of a process run code that is not compiled yet. */
const JOBS = 10 * COLD_BATCH;
const COLD_TARGET_MS = 15;

interface Speed {
  readonly statesPerSecond: number;
  readonly cpuMicros: number;
}

/**
 * States per second by `api.Jobs`, relative to a handler that answers as many from memory, interleaved so that all meet the same
 * noise; then how long calls take whose jobs a query has never been asked for.
 */
export async function benchJobsApi(quick: boolean): Promise<Figure[]> {
  const [rounds, seconds] = quick ? [2, 1] : [5, 1];
  const binary = buildLoadGenerator();
  return withPolledJobs(JOBS, async (polled) => {
    const { memory, query, jobSet } = polled;
    const speeds: Record<string, Speed[]> = {};
    const measure = async (name: string, server: Measured, jobIds: readonly string[], batch: number) => {
      const before = cpuMs(server.pid);
      const options = { binary, port: server.port, jobSet, jobIds, method: METHOD, batch, seconds };
      const { calls, callsPerSecond } = await load(options);
      const cpuMicros = ((cpuMs(server.pid) - before) * 1_000) / (calls * batch);
      (speeds[name] ??= []).push({ statesPerSecond: callsPerSecond * batch, cpuMicros });
    };
    // Calls of jobs that were not requested before take long.
    for (const kind of KINDS) await once(binary, query.port, polled, kind);
    // The first round only warms up: compiled code, connections, caches.
    for (let round = 0; round <= rounds; round++) {
      for (const batch of BATCHES) {
        await measure(`memory ${batch}`, memory, polled.ended, batch);
        for (const kind of KINDS) await measure(`${kind} ${batch}`, query, polled[kind], batch);
      }
    }
    const of = (name: string, figure: keyof Speed): number =>
      median((speeds[name] ?? []).slice(1).map((speed) => speed[figure]));
    const warm = KINDS.flatMap((kind) =>
      BATCHES.map((batch): Figure => {
        const [name, beside] = [`${kind} ${batch}`, `memory ${batch}`];
        const perSecond = of(name, 'statesPerSecond');
        const share = perSecond / of(beside, 'statesPerSecond');
        const target = TARGETS[name];
        return {
          what: `\`${METHOD}\`, ${batch} ${kind} ${batch === 1 ? 'job' : 'jobs'} per call, 64 calls over 4 connections`,
          measured:
            `${thousands(perSecond)} states/s, ${share.toFixed(2)} of the same bytes from memory; ` +
            `${of(name, 'cpuMicros').toFixed(2)} µs of CPU per state, ${of(beside, 'cpuMicros').toFixed(2)} from memory`,
          ...(target === undefined
            ? { target: '' }
            : {
                target: `${thousands(target)}/s, or ${TARGET_SHARE}`,
                met: perSecond >= target || share >= TARGET_SHARE,
              }),
        };
      }),
    );
    return [...warm, ...(await coldFigures(binary, polled))];
  });
}

async function coldFigures(binary: string, polled: PolledJobs): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const kind of KINDS) {
    const { port, pid } = await polled.startQuery({});
    const before = cpuMs(pid);
    const { calls, p50Ms, p99Ms } = await once(binary, port, polled, kind);
    const cpuPerCall = (cpuMs(pid) - before) / calls;
    figures.push({
      what: `\`${METHOD}\`, ${thousands(COLD_BATCH)} ${kind} jobs that were not requested before, one call at a time`,
      measured:
        `p50 ${p50Ms.toFixed(1)} ms, the slowest of ${JOBS / COLD_BATCH} calls of a new process ${p99Ms.toFixed(1)} ms; ` +
        `${cpuPerCall.toFixed(1)} ms of CPU per call`,
      target: `p50 under ${COLD_TARGET_MS} ms`,
      met: p50Ms < COLD_TARGET_MS,
    });
  }
  return figures;
}

/** Calls for all the jobs, one call after the other. */
function once(binary: string, port: number, polled: PolledJobs, kind: (typeof KINDS)[number]): Promise<Load> {
  const { jobSet, [kind]: jobIds } = polled;
  const calls = { callers: 1, once: true, seconds: 60 };
  return load({ binary, port, jobSet, jobIds, method: METHOD, batch: COLD_BATCH, ...calls });
}
