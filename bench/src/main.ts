// npm run bench: measures on this machine and prints a table. Machines differ and are noisy: compare ratios.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { benchBatches } from './batches.js';
import { benchBytes } from './bytes.js';
import { benchCareless } from './careless.js';
import { runEchoServer, runForwarder, runMemoryServer, runReadingEchoServer } from './baseline-servers.js';
import { runFakeEvents } from './fake-events.js';
import { table, type Figure } from './figure.js';
import { benchAssignment } from './assignment.js';
import { benchJobsApi } from './jobs-api.js';
import { benchGrowth } from './growth.js';
import { benchHeat } from './heat.js';
import { benchLatency } from './latency.js';
import { benchLarge } from './large.js';
import { benchPassThrough } from './pass-through.js';
import { benchPolls } from './polls.js';
import { benchReaders } from './readers.js';
import { runReader } from './reading.js';
import { benchResident } from './resident.js';
import { benchScale } from './scale.js';
import { benchSecurity } from './security.js';
import { benchThroughput } from './throughput.js';
import { benchUnwatchedWrites } from './unwatched-writes.js';
import { benchWaits } from './waits.js';

const BENCHMARKS: Readonly<Record<string, (quick: boolean) => Promise<Figure[]>>> = {
  polls: benchPolls,
  'jobs-api': benchJobsApi,
  security: benchSecurity,
  'pass-through': benchPassThrough,
  throughput: benchThroughput,
  latency: benchLatency,
  scale: benchScale,
  heat: benchHeat,
  assignment: benchAssignment,
  large: benchLarge,
  careless: benchCareless,
  resident: benchResident,
  bytes: benchBytes,
  growth: benchGrowth,
  waits: benchWaits,
  readers: benchReaders,
  'unwatched-writes': benchUnwatchedWrites,
  batches: benchBatches,
};

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    // Only for processes that the benchmarks start.
    role: { type: 'string' },
    method: { type: 'string', default: 'jobservice.JobService/GetJobStatus' },
    'job-sets': { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    running: { type: 'string', default: '0' },
    address: { type: 'string', default: '' },
    redis: { type: 'string', default: '' },
  },
});

async function run(): Promise<void> {
  const names = values.only === undefined ? Object.keys(BENCHMARKS) : [values.only];
  const figures: Figure[] = [];
  for (const name of names) {
    const benchmark = BENCHMARKS[name];
    if (benchmark === undefined) {
      throw new Error(`--only is "${name}", but must be one of ${Object.keys(BENCHMARKS).join(', ')}`);
    }
    console.error(`${name} ...`);
    const began = performance.now();
    figures.push(...(await benchmark(values.quick)));
    console.error(`${name} took ${((performance.now() - began) / 1_000).toFixed(0)} s`);
  }
  const [cpu] = cpus();
  console.log(
    `\n${cpus().length} cores (${cpu?.model ?? 'unknown'}), Node ${process.versions.node}\n\n${table(figures)}`,
  );
}

if (values.role === 'echo') await runEchoServer(values.method);
else if (values.role === 'reading-echo') await runReadingEchoServer(values.method, values.redis);
else if (values.role === 'forwarder') await runForwarder(values.method, values.address);
else if (values.role === 'memory') await runMemoryServer();
else if (values.role === 'reader') await runReader(values.address, Number(values['job-sets']));
else if (values.role === 'fake') {
  await runFakeEvents({
    jobSets: Number(values['job-sets']),
    jobs: Number(values.jobs),
    running: Number(values.running),
  });
} else {
  try {
    await run();
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
  process.exit(0);
}
