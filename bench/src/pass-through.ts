import { Child, startApp } from './child.js';
import { cpuMs } from './cpu.js';
import { jobSetOf } from './fake-events.js';
import { median, thousands, type Figure } from './figure.js';
import { jobIdOf } from './jobs.js';
import { buildLoadGenerator, load } from './load.js';
import type { Measured } from './polled-jobs.js';
import { startStore } from './store.js';

// The echo returns any bytes.
const METHOD = 'api.Submit/GetQueue';
const WAYS = ['direct', 'bare', 'forwarded'] as const;

interface Round {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  /** Of the process that is called. */
  readonly cpuMicros: number;
}

/**
 * The cost of calling Armada through the query: the same calls to the same server, directly, through a forwarder of bare grpc-js, which is
 * the limit, and through the query.
 */
export async function benchPassThrough(quick: boolean): Promise<Figure[]> {
  const [rounds, seconds] = quick ? [2, 1] : [5, 3];
  const binary = buildLoadGenerator();
  const store = await startStore();
  const started: Child[] = [];
  const startRole = async (role: string, ...more: string[]): Promise<Measured> => {
    const args = ['--role', role, '--method', METHOD, ...more];
    const server = await Child.start(
      'dist/bench/main.js',
      args,
      {},
      (line) => JSON.parse(line) as { listening: number },
    );
    started.push(server.child);
    return { port: server.started.listening, pid: server.child.pid };
  };
  try {
    const direct = await startRole('echo');
    const armada = `127.0.0.1:${direct.port}`;
    const bare = await startRole('forwarder', '--address', armada);
    const query = await startApp('query', {
      REDIS_URL: store.server.url,
      ARMADA_URL: armada,
      PASS_THROUGH: 'on',
    });
    started.push(query.child);
    const servers = {
      direct,
      bare,
      forwarded: { port: Number(query.started['grpcPort']), pid: query.child.pid },
    };
    const measured = { direct: [] as Round[], bare: [] as Round[], forwarded: [] as Round[] };
    // The first round only warms up: compiled code, connections.
    for (let round = 0; round <= rounds; round++) {
      for (const way of WAYS) {
        const { port, pid } = servers[way];
        const before = cpuMs(pid);
        const { calls, callsPerSecond, p50Ms } = await load({
          ...{ binary, port, method: METHOD, jobSet: jobSetOf(0), jobIds: [jobIdOf(0)], seconds },
        });
        const cpuMicros = ((cpuMs(pid) - before) * 1_000) / calls;
        if (round > 0) measured[way].push({ callsPerSecond, p50Ms, cpuMicros });
      }
    }
    return [figureOf(measured)];
  } finally {
    for (const child of started) await child.stop();
    await store.stop();
  }
}

function figureOf(measured: Readonly<Record<(typeof WAYS)[number], readonly Round[]>>): Figure {
  const of = (way: (typeof WAYS)[number], name: keyof Round): number =>
    median(measured[way].map((round) => round[name]));
  const ratio = (name: keyof Round, beside: 'direct' | 'bare'): number =>
    median(measured.forwarded.map((round, i) => round[name] / (measured[beside][i]?.[name] ?? NaN)));
  return {
    what: 'calls forwarded to Armada, 64 calls over 4 connections',
    measured:
      `${thousands(of('forwarded', 'callsPerSecond'))}/s, ${ratio('callsPerSecond', 'direct').toFixed(2)} of direct calls ` +
      `(${thousands(of('direct', 'callsPerSecond'))}/s); p50 ${(of('forwarded', 'p50Ms') - of('direct', 'p50Ms')).toFixed(1)} ms more; ` +
      `beside a forwarder of bare grpc-js ${ratio('callsPerSecond', 'bare').toFixed(2)} of its speed and ${ratio('cpuMicros', 'bare').toFixed(2)} times its CPU ` +
      `(${of('forwarded', 'cpuMicros').toFixed(0)} and ${of('bare', 'cpuMicros').toFixed(0)} µs a call)`,
    target: '',
  };
}
