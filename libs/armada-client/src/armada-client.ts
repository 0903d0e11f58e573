import type { QueueGrants } from '@ajs/auth';
import type { ArmadaIdentity, ArmadaTransport } from '@ajs/armada-credentials';
import { EventService } from '@ajs/contracts/api/event';
import type { EventSource } from '@ajs/subscriptions';
import { HealthCheckResponse_ServingStatus } from '@ajs/contracts/api/health';
import { channelOptions } from './channel-options.js';
import { ChannelPool } from './channel-pool.js';
import type { ArmadaJobs } from './armada-jobs.js';
import { ArmadaEventSource, type MessageCounter } from './event-streams.js';
import { ArmadaQueueGrantsSource } from './queue-grants-source.js';
import { grpcArmadaJobs } from './grpc-armada-jobs.js';
import { observeCalls, type CallObserver } from './observe-calls.js';
import { callUnary } from './unary-call.js';
import { withIdentity } from './with-identity.js';

/** Armada answers in milliseconds; a first connection takes longer. */
const HEALTH_DEADLINE_MS = 3_000;
/** A message above the limit is read after all once it was met a few times, up to so many times the limit. */
const LONG_MESSAGE_FACTOR = 4;

export interface ArmadaClientOptions {
  readonly transport: ArmadaTransport;
  /** The identity of every call. */
  readonly identity: ArmadaIdentity;
  /** A larger message fails its call; of events, one more than four times as large. Bytes. */
  readonly maxMessageBytes: number;
  /** The rate limit of {@link ArmadaClient.jobs}, all methods together. */
  readonly callsPerSecond: number;
  readonly observer?: CallObserver;
}

export interface ArmadaClient {
  /** The event streams of job sets; the counter hears of messages that this version does not understand. */
  events(counter: MessageCounter): EventSource;
  readonly jobs: ArmadaJobs;
  readonly queueGrants: QueueGrants;
  /** Rejects unless Armada's own Health responds SERVING within 3 s. */
  health(): Promise<void>;
  close(): void;
}

/** This process's client of Armada. Connections are made when they are needed. */
export function createArmadaClient({
  transport,
  identity,
  maxMessageBytes,
  callsPerSecond,
  observer,
}: ArmadaClientOptions): ArmadaClient {
  const interceptors = [...(observer === undefined ? [] : [observeCalls(observer)]), withIdentity(identity)];
  const pool = (maxBytes: number): ChannelPool =>
    new ChannelPool(transport, { ...channelOptions(maxBytes), interceptors });
  const [watches, reads] = [pool(maxMessageBytes), pool(maxMessageBytes)];
  const longMessages = pool(maxMessageBytes * LONG_MESSAGE_FACTOR);
  const jobs = grpcArmadaJobs(reads, callsPerSecond);
  return {
    events: (counter) => new ArmadaEventSource({ watches, reads, longMessages }, counter),
    jobs,
    queueGrants: new ArmadaQueueGrantsSource(reads),
    health: () => checkHealth(reads),
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
