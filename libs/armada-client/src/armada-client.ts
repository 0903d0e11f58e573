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

export interface ArmadaClientOptions {
  readonly transport: ArmadaTransport;
  /** The identity of every call. */
  readonly identity: ArmadaIdentity;
  /** A larger message fails its call. Bytes. */
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
  maxMessageBytes: largestMessageBytes,
  callsPerSecond,
  observer,
}: ArmadaClientOptions): ArmadaClient {
  const options = {
    ...channelOptions(largestMessageBytes),
    interceptors: [...(observer === undefined ? [] : [observeCalls(observer)]), withIdentity(identity)],
  };
  const pool = (): ChannelPool => new ChannelPool(transport, options);
  const [watches, reads] = [pool(), pool()];
  const jobs = grpcArmadaJobs(reads, callsPerSecond);
  return {
    events: (counter) => new ArmadaEventSource(watches, reads, counter),
    jobs,
    queueGrants: new ArmadaQueueGrantsSource(reads),
    health: () => checkHealth(reads),
    close: () => {
      jobs.close();
      watches.close();
      reads.close();
    },
  };
}

async function checkHealth(pool: ChannelPool): Promise<void> {
  const { status } = await callUnary(pool, EventService.health, {}, HEALTH_DEADLINE_MS);
  if (status !== HealthCheckResponse_ServingStatus.SERVING) {
    throw new Error('Armada reports that it is not serving');
  }
}
