import { EventService } from '@ajs/contracts/api/event';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import { Child } from './child.js';
import { jobSetOf } from './fake-events.js';

/** As many as the ingester has on one connection. */
const STREAMS_PER_CONNECTION = 100;
const PATIENCE_MS = 300_000;

interface Reading {
  readonly ms: number;
  readonly cpuMs: number;
}

/**
 * The minimum that events cost a Node process: reads job sets to their end, all at once, and drops the bytes of their messages. Prints
 * {"ms": how long that took, "cpuMs": processor time that it took}.
 */
export async function runReader(address: string, jobSets: number): Promise<void> {
  const clients = Array.from(
    { length: Math.ceil(jobSets / STREAMS_PER_CONNECTION) },
    () => new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 }),
  );
  const [began, cpuBefore] = [performance.now(), process.cpuUsage()];
  await Promise.all(
    Array.from({ length: jobSets }, (_, set) => read(clients[set % clients.length] as Client, set)),
  );
  const { user, system } = process.cpuUsage(cpuBefore);
  console.log(JSON.stringify({ ms: performance.now() - began, cpuMs: (user + system) / 1000 }));
  for (const client of clients) client.close();
}

async function read(client: Client, set: number): Promise<void> {
  const { path, requestSerialize } = EventService.getJobSetEvents;
  const { queue, jobSetId: id } = jobSetOf(set);
  const request = { queue, id, fromMessageId: '', watch: false, errorIfMissing: false };
  const call = client.makeServerStreamRequest(
    path,
    requestSerialize,
    (bytes: Buffer) => bytes,
    request,
    new Metadata(),
  );
  await new Promise<void>((resolve, reject) => {
    call.on('data', () => undefined);
    call.on('end', resolve);
    call.on('error', reject);
  });
}

/** What reading alone takes, in a process of its own: time and processor time, in milliseconds. */
export async function readingAlone(address: string, jobSets: number): Promise<Reading> {
  const { child, started } = await Child.start(
    'dist/bench/main.js',
    ['--role', 'reader', '--address', address, '--job-sets', `${jobSets}`],
    {},
    (line) => JSON.parse(line) as Reading,
    PATIENCE_MS,
  );
  await child.stop();
  return started;
}
