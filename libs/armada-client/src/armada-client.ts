import { EventService } from '@ajs/contracts/api/event';
import type { EventSource } from '@ajs/subscriptions';
import { HealthCheckResponse_ServingStatus } from '@ajs/contracts/api/health';
import { credentials, type ClientOptions } from '@grpc/grpc-js';
import { ChannelPool } from './channel-pool.js';
import type { ArmadaJobs } from './armada-jobs.js';
import { ArmadaEventSource, type MessageCounter } from './event-streams.js';
import { grpcArmadaJobs } from './grpc-armada-jobs.js';
import { callUnary } from './unary-call.js';

const HEALTH_DEADLINE_MS = 2_000;

export interface ArmadaClientOptions {
  /** host:port of Armada's gRPC. */
  readonly address: string;
  /** A larger message ends its stream with an error. Bytes. */
  readonly largestMessageBytes: number;
  /** Calls of {@link ArmadaClient.jobs}, all its methods together. */
  readonly callsPerSecond: number;
  readonly counter: MessageCounter;
}

export interface ArmadaClient {
  readonly events: EventSource;
  readonly jobs: ArmadaJobs;
  /** Rejects unless Armada answers its own Health with SERVING within 2 s. */
  health(): Promise<void>;
  close(): void;
}

/** The connections of one process to Armada. None is made before it is needed. */
export function createArmadaClient({
  address,
  largestMessageBytes,
  callsPerSecond,
  counter,
}: ArmadaClientOptions): ArmadaClient {
  const options: ClientOptions = {
    'grpc.max_receive_message_length': largestMessageBytes,
    // Armada accepts a ping every 10 s, and answers one a second with `too_many_pings`.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 500,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // Else all channels with the same options would share one connection.
    'grpc.use_local_subchannel_pool': 1,
  };
  const pool = (): ChannelPool => new ChannelPool(address, credentials.createInsecure(), options);
  const [watches, reads] = [pool(), pool()];
  const jobs = grpcArmadaJobs(reads, callsPerSecond);
  return {
    events: new ArmadaEventSource(watches, reads, counter),
    jobs,
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
    throw new Error('Armada says that it is not serving');
  }
}
