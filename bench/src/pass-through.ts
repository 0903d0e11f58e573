import { Child, startApp } from './child.js';
import { jobSetOf } from './fake-events.js';
import { median, thousands, type Figure } from './figure.js';
import { jobIdOf } from './jobs.js';
import { buildLoadGenerator, load } from './load.js';
import { startStore } from './store.js';

// The echo returns any bytes.
const METHOD = 'api.Submit/GetQueue';

/** The cost of calling Armada through the query: the same calls to the same server, directly and forwarded. */
export async function benchPassThrough(quick: boolean): Promise<Figure[]> {
  const [rounds, seconds] = quick ? [2, 1] : [5, 3];
  const binary = buildLoadGenerator();
  const store = await startStore();
  const started: Child[] = [];
  try {
    const echo = await Child.start(
      'dist/bench/main.js',
      ['--role', 'echo', '--method', METHOD],
      {},
      (line) => JSON.parse(line) as { listening: number },
    );
    started.push(echo.child);
    const query = await startApp('query', {
      REDIS_URL: store.server.url,
      ARMADA_URL: `127.0.0.1:${echo.started.listening}`,
      PASS_THROUGH: 'on',
    });
    started.push(query.child);
    const common = { binary, method: METHOD, jobSet: jobSetOf(0), jobIds: [jobIdOf(0)], seconds };
    const measured = { direct: [] as number[], forwarded: [] as number[], added: [] as number[] };
    for (let round = 0; round <= rounds; round++) {
      const direct = await load({ ...common, port: echo.started.listening });
      const forwarded = await load({ ...common, port: Number(query.started['grpcPort']) });
      if (round === 0) continue;
      measured.direct.push(direct.callsPerSecond);
      measured.forwarded.push(forwarded.callsPerSecond);
      measured.added.push(forwarded.p50Ms - direct.p50Ms);
    }
    const [direct, forwarded] = [median(measured.direct), median(measured.forwarded)];
    return [
      {
        what: 'calls forwarded to Armada, 64 calls over 4 connections',
        measured: `${thousands(forwarded)}/s, ${(forwarded / direct).toFixed(2)} of direct calls (${thousands(direct)}/s); p50 ${median(measured.added).toFixed(1)} ms more`,
        target: '',
      },
    ];
  } finally {
    for (const child of started) await child.stop();
    await store.stop();
  }
}
