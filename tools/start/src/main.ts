// Runs everything on this machine: Redis, a fake Armada (or a real one), one ingester, one query, and a board of jobs.
import { join } from 'node:path';
import { createArmadaClient } from '@ajs/armada-client';
import { armadaAccess } from '@ajs/armada-credentials';
import { loadSettings, withoutLogin } from '@ajs/config';
import type { JobSetKey } from '@ajs/job-state';
import { RedisServer, eventually } from '@ajs/testing';
import { readArguments } from './arguments.js';
import { checkRedis, warnIfAway } from './check-servers.js';
import { exampleCommands } from './examples.js';
import { JobBoard } from './job-board.js';
import { portNear } from './port-near.js';
import { Processes } from './processes.js';
import { Show } from './show.js';

const DEMO_JOB_SETS = 4;
const HOST = '127.0.0.1';
const LOGS = join(process.cwd(), 'tmp/start');
const EXAMPLE_MS = 15_000;

const given = readArguments(process.argv.slice(2));
let redis: RedisServer | undefined;
let ending: Promise<void> | undefined;
const processes = new Processes(LOGS, (why) => void end(1, why));
const show = new Show(process.stdout);

function end(code: number, why?: string): Promise<void> {
  ending ??= (async () => {
    show.stop();
    if (why !== undefined) console.error(`\n${why}`);
    console.log('\nStopping ...');
    await processes.stop();
    await redis?.stop();
    process.exit(code);
  })();
  return ending;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0));

try {
  await run();
} catch (error) {
  await end(1, (error as Error).message);
}

async function run(): Promise<void> {
  const [redisUrl, armadaAddress, grpc, http, ingesterHttp] = await Promise.all([
    findRedis(),
    given.armada?.address ?? startFakeArmada(),
    portNear(60003),
    portNear(8090),
    portNear(8091),
  ]);
  const keys: JobSetKey[] = given.armada
    ? [{ queue: given.armada.queue, jobSetId: given.armada.jobSetId }]
    : Array.from({ length: DEMO_JOB_SETS }, (_, i) => ({ queue: 'demo', jobSetId: `demo-${i + 1}` }));
  const env = {
    ARMADA_URL: armadaAddress,
    // The fake Armada needs no credentials, whatever this shell has set for a real one.
    ...(given.armada === undefined && { ARMADACTL_CONFIG: '' }),
    REDIS_URL: redisUrl,
    // The ports are open to this machine only, so that every caller may read everything.
    AUTH_MODE: 'anonymous',
    QUERY_GRPC_ADDRESS: `${HOST}:${grpc}`,
    QUERY_HTTP_ADDRESS: `${HOST}:${http}`,
    INGESTER_HTTP_ADDRESS: `${HOST}:${ingesterHttp}`,
  };
  const started = (line: string): true | undefined => (line.includes('"msg":"started"') ? true : undefined);
  await Promise.all(
    (['ingester', 'query'] as const).map((app) =>
      processes.start(app, `dist/apps/${app}/main.js`, [], env, started),
    ),
  );

  const wholeEnv = { ...process.env, ...env };
  const { transport, identity } = armadaAccess(loadSettings({ argv: [], env: wholeEnv }), {
    env: wholeEnv,
    observer: { renewed: () => undefined, failed: (error) => console.log(error.message) },
  });
  const armada = createArmadaClient({
    transport,
    identity,
    maxMessageBytes: 16 * 1024 * 1024,
    callsPerSecond: 1,
  });
  const board = new JobBoard(`${HOST}:${grpc}`, keys, (move) => show.moved(move));
  board.start();
  console.log(`
Redis     ${withoutLogin(redisUrl)}${redis === undefined ? '' : ' (private)'}
Armada    ${armadaAddress}${given.armada === undefined ? ' (fake)' : ''}
query     gRPC ${HOST}:${grpc}, HTTP http://${HOST}:${http}
ingester  HTTP http://${HOST}:${ingesterHttp}
logs      ${LOGS}
`);
  await warnIfAway(armada, armadaAddress);
  const example = await eventually('a job in the job set', () => board.anyJob, EXAMPLE_MS).catch(
    () => undefined,
  );
  if (example === undefined)
    console.log(`No job in ${keys[0]?.queue}/${keys[0]?.jobSetId} yet; waiting for the first one.`);
  const commands = exampleCommands({
    key: example?.key ?? keys[0] ?? { queue: '', jobSetId: '' },
    jobId: example?.jobId ?? 'JOB_ID',
    grpc: `${HOST}:${grpc}`,
    http: `${HOST}:${http}`,
  });
  console.log(`Try:
${commands.map((command) => `  ${command}`).join('\n')}
Press Ctrl-C to stop everything.
`);
  show.start(board);
}

/** The address of the given Redis, or of one that is started. */
async function findRedis(): Promise<string> {
  if (given.redisUrl !== undefined) {
    await checkRedis(given.redisUrl);
    return given.redisUrl;
  }
  redis = await RedisServer.start();
  return redis.url;
}

function startFakeArmada(): Promise<string> {
  const args = ['--address', `${HOST}:0`, '--job-sets', `${DEMO_JOB_SETS}`, '--jobs', '20', '--rate', '12'];
  return processes.start('fake-armada', 'dist/tools/fake-armada/main.js', args, {}, (line) =>
    line.startsWith('{"listening"') ? (JSON.parse(line) as { listening: string }).listening : undefined,
  );
}
