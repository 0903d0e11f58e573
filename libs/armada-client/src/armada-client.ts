import type { ArmadaVerdict, QueueGrants } from '@ajs/auth';
import type { ArmadaIdentity, ArmadaTransport } from '@ajs/armada-credentials';
import { EventService } from '@ajs/contracts/api/event';
import type { EventSource } from '@ajs/subscriptions';
import { HealthCheckResponse_ServingStatus } from '@ajs/contracts/api/health';
import { channelOptions } from './channel-options.js';
import { ChannelPool } from './channel-pool.js';
import type { SharedArmadaJobs } from './armada-jobs.js';
import { ArmadaEventSource, type MessageCounter } from './event-streams.js';
import { ArmadaQueueGrantsSource } from './queue-grants-source.js';
import { grpcArmadaJobs } from './grpc-armada-jobs.js';
import { nameProxy } from './name-proxy.js';
import { observeCalls, type CallObserver } from './observe-calls.js';
import { PermissionProbe } from './permission-probe.js';
import { callUnary } from './unary-call.js';
import { withIdentity } from './with-identity.js';

/** Armada answers in milliseconds; a first connection takes longer. */
const HEALTH_DEADLINE_MS = 3_000;
/**
 * An event above the limit is read after all, up to this size, once it was met a few times: nothing else leads past it. More than ten times
 * what Armada's message bus takes. Bytes.
 */
const MAX_LONG_MESSAGE_BYTES = 64 * 1024 * 1024;
/**
 * What Armada may send ahead of a read, and of the up to 100 reads of a connection together: some 700 events. HTTP/2's own 64 KiB are 190 events in a
 * round trip: with one of 20 ms, 100 job sets came half as fast. A read that is paused keeps as much in memory, and up to 500 read at once. A
 * watch has little to bring at once, and keeps the 64 KiB. Bytes.
 */
const READ_WINDOW_BYTES = 256 * 1024;

export interface ArmadaClientOptions {
  readonly transport: ArmadaTransport;
  /** The identity of every call. */
  readonly identity: ArmadaIdentity;
  /** A larger message fails its call. Bytes. */
  readonly maxMessageBytes: number;
  /** What a stream that skips what cannot be read accepts, if that is more. 64 MiB where it is left out. Bytes. */
  readonly maxLongMessageBytes?: number;
  /** The rate limit of {@link ArmadaClient.jobs}, all methods together. */
  readonly callsPerSecond: number;
  readonly observer?: CallObserver;
}

export interface ArmadaClient {
  /** The event streams of job sets; the counter hears of messages that this version does not understand. */
  events(counter: MessageCounter): EventSource;
  readonly jobs: SharedArmadaJobs;
  readonly queueGrants: QueueGrants;
  /** Rejects unless Armada's own Health responds SERVING within 3 s. */
  health(): Promise<void>;
  /** What Armada says of this process's right to watch a queue. Rejects where it says nothing. */
  mayWatch(queue: string): Promise<ArmadaVerdict>;
  close(): void;
}

/** This process's client of Armada. Connections are made when they are needed. */
export function createArmadaClient({
  transport,
  identity,
  maxMessageBytes,
  maxLongMessageBytes = MAX_LONG_MESSAGE_BYTES,
  callsPerSecond,
  observer,
}: ArmadaClientOptions): ArmadaClient {
  const interceptors = [
    ...(observer === undefined ? [] : [observeCalls(observer)]),
    withIdentity(identity),
    ...nameProxy(transport.proxy),
  ];
  const pool = (maxBytes: number, windowBytes?: number): ChannelPool =>
    new ChannelPool(transport, { ...channelOptions(maxBytes, windowBytes), interceptors });
  const [watches, reads] = [pool(maxMessageBytes), pool(maxMessageBytes, READ_WINDOW_BYTES)];
  const longMessages = pool(Math.max(maxMessageBytes, maxLongMessageBytes));
  const jobs = grpcArmadaJobs(reads, callsPerSecond);
  return {
    events: (counter) => new ArmadaEventSource({ watches, reads, longMessages }, counter),
    jobs,
    queueGrants: new ArmadaQueueGrantsSource(reads),
    health: () => checkHealth(reads),
    // The channels add the credentials of this process to what has none.
    mayWatch: (queue) => new PermissionProbe(reads).mayWatch(undefined, queue),
    close: () => {
      jobs.close();
      watches.close();
      reads.close();
      longMessages.close();
    },
  };
}

async function checkHealth(pool: ChannelPool): Promise<void> {
  const { status } = await callUnary(pool, EventService.health, {}, HEALTH_DEADLINE_MS);
  if (status !== HealthCheckResponse_ServingStatus.SERVING) {
    throw new Error('Armada reports that it is not serving');
  }
}
