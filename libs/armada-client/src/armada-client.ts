import { EventService } from '@ajs/contracts/api/event';
import type { EventSource } from '@ajs/subscriptions';
import { HealthCheckResponse_ServingStatus } from '@ajs/contracts/api/health';
import { credentials } from '@grpc/grpc-js';
import { channelOptions } from './channel-options.js';
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
  const options = channelOptions(largestMessageBytes);
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
