import { JobsService, type JobsServer } from '@ajs/contracts/api/job';
import { JobServiceService, type JobServiceServer } from '@ajs/contracts/jobservice/jobservice';
import type { ListenAddress } from '@ajs/config';
import { Server } from '@grpc/grpc-js';
import { keepLongDeadlines } from '@ajs/platform';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { PassThrough } from '../pass-through/pass-through.js';
import { boundedService } from './bounded-service.js';
import { StreamTracker } from './stream-tracker.js';
import { GrpcPort, type GrpcPortOptions } from './grpc-port.js';
import { limitHeaders } from './limit-headers.js';
import { reflectedFiles } from './reflected-files.js';

/** No valid request of our own services is near this size. Bytes. */
const MAX_REQUEST_BYTES = 1024 * 1024;
/** A proxy that shares a connection among many callers may have hundreds of polls waiting; each costs a few KiB. */
const MAX_CALLS_PER_CONNECTION = 1_000;
/** An `authorization` alone may have 16 KiB. */
const MAX_HEADER_BYTES = 32 * 1024;
/** Connections without a call are closed after this time: before the 30 min of common clients. Reconnecting costs a poll little. */
const IDLE_MS = 10 * 60_000;
/** Calls may run this much longer than their connection's age: forwarded watches and `Watch` of health never end by themselves. */
const AGE_GRACE_MS = 5 * 60_000;
/** Calls that still run this long after the server began to stop are aborted. Milliseconds. */
const DRAIN_MS = 3_000;

/** Services with a status of their own in `grpc.health.v1`. */
const OWN_SERVICES = ['api.Jobs', 'jobservice.JobService'];

export interface GrpcServices {
  readonly legacy: JobServiceServer;
  readonly jobs: JobsServer;
  /** Forwards calls of Armada's other services; `undefined`: they are UNIMPLEMENTED. */
  readonly passThrough?: PassThrough | undefined;
}

export interface GrpcServerOptions extends GrpcPortOptions {
  /** Clients of older connections are told to reconnect, and so spread over new replicas. The time varies by ten per cent. */
  readonly maxAgeMs: number;
  readonly ageGraceMs?: number;
  readonly idleMs?: number;
}

/** The gRPC server: our services, `grpc.health.v1`, reflection, and pass-through to Armada. */
export class GrpcServer {
  private readonly server: Server;
  private readonly port: GrpcPort;
  private readonly healthWatches: StreamTracker;
  private readonly health = new HealthImplementation(
    Object.fromEntries(['', ...OWN_SERVICES].map((service) => [service, 'SERVING'] as const)),
  );
  private readonly passThrough: PassThrough | undefined;

  constructor({ legacy, jobs, passThrough }: GrpcServices, options: GrpcServerOptions) {
    this.passThrough = passThrough;
    this.server = new Server({
      // One limit for all services, so the widest; ours have their own (boundedService).
      'grpc.max_receive_message_length': Math.max(MAX_REQUEST_BYTES, passThrough?.maxRequestBytes ?? 0),
      'grpc.max_concurrent_streams': MAX_CALLS_PER_CONNECTION,
      'grpc.max_connection_idle_ms': options.idleMs ?? IDLE_MS,
      'grpc.max_connection_age_ms': options.maxAgeMs,
      'grpc.max_connection_age_grace_ms': options.ageGraceMs ?? AGE_GRACE_MS,
      // Many callers keep connections open; finds those whose peer vanished.
      'grpc.keepalive_time_ms': 60_000,
      'grpc.keepalive_timeout_ms': 20_000,
      // It keeps records of every call for a service that is not served here.
      'grpc.enable_channelz': 0,
      interceptors: passThrough === undefined ? [] : [passThrough.interceptor],
    });
    limitHeaders(this.server, MAX_HEADER_BYTES);
    keepLongDeadlines();
    this.server.addService(...boundedService(JobServiceService, { ...legacy }, MAX_REQUEST_BYTES));
    this.server.addService(...boundedService(JobsService, { ...jobs }, MAX_REQUEST_BYTES));
    this.healthWatches = new StreamTracker(this.server);
    this.healthWatches.add(this.health, 'watch');
    new ReflectionService(reflectedFiles(), {
      services: [...OWN_SERVICES, 'grpc.health.v1.Health'],
    }).addToServer(this.server);
    passThrough?.attach(this.server);
    this.port = new GrpcPort(this.server, options);
  }

  /** Opens the port (0: any free one). Resolves to its number; rejects with a message that names address and setting. */
  async listen({ host, port, text }: ListenAddress): Promise<number> {
    try {
      return await this.port.listen(host, port);
    } catch (error) {
      throw new Error(`cannot listen for gRPC at ${text} (QUERY_GRPC_ADDRESS): ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Reports NOT_SERVING, rejects new calls, lets running calls finish for 3 s, and aborts the rest. */
  async stop(): Promise<void> {
    for (const service of ['', ...OWN_SERVICES]) this.health.setStatus(service, 'NOT_SERVING');
    this.healthWatches.endAll();
    this.passThrough?.endWatches();
    this.port.close();
    await new Promise<void>((resolve) => {
      const abort = setTimeout(resolve, DRAIN_MS);
      this.server.tryShutdown(() => {
        clearTimeout(abort);
        resolve();
      });
    });
    this.port.destroy();
  }
}
