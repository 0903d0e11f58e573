import { JobsService, type JobsServer } from '@ajs/contracts/api/job';
import { JobServiceService, type JobServiceServer } from '@ajs/contracts/jobservice/jobservice';
import type { ListenAddress } from '@ajs/config';
import { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { PassThrough } from '../pass-through/pass-through.js';
import { boundedService } from './bounded-service.js';
import { EndingStreams } from './ending-streams.js';
import { GrpcPort, type GrpcPortOptions } from './grpc-port.js';
import { limitHeaders } from './limit-headers.js';
import { reflectedFiles } from './reflected-files.js';

/** No request of ours is near this size. Bytes. */
const LARGEST_REQUEST_BYTES = 1024 * 1024;
/** A proxy that shares a connection among many callers may have hundreds of polls waiting; each costs some KiB. */
const MOST_CALLS_OF_A_CONNECTION = 1_000;
/** An `authorization` may have 16 KiB. */
const LARGEST_HEADERS_BYTES = 32 * 1024;
/** Connections without a call. Less than the 30 min after which the usual clients close theirs; reconnecting costs a poll little. */
const IDLE_MS = 10 * 60_000;
/** How long calls may go on when their connection has reached its age: forwarded watches and `Watch` of health never end by themselves. */
const AGE_GRACE_MS = 5 * 60_000;
/** Calls still running when the server stops are cut off after this time. Milliseconds. */
const DRAIN_MS = 3_000;

/** Those with a status of their own in `grpc.health.v1`. */
const ANSWERED = ['api.Jobs', 'jobservice.JobService'];

export interface GrpcServices {
  readonly legacy: JobServiceServer;
  readonly jobs: JobsServer;
  /** What else of Armada's is forwarded to it, if anything. */
  readonly passThrough?: PassThrough | undefined;
}

export interface GrpcServing extends GrpcPortOptions {
  /** Older connections take no more calls, and their clients connect again: so they spread over new replicas. Ten per cent more or less. */
  readonly maxAgeMs: number;
  readonly ageGraceMs?: number;
  readonly idleMs?: number;
}

/** The gRPC port: our services, `grpc.health.v1`, reflection, and what is passed through to Armada. */
export class GrpcServer {
  private readonly server: Server;
  private readonly port: GrpcPort;
  private readonly watches: EndingStreams;
  private readonly health = new HealthImplementation(
    Object.fromEntries(['', ...ANSWERED].map((service) => [service, 'SERVING'] as const)),
  );
  private readonly passThrough: PassThrough | undefined;

  constructor({ legacy, jobs, passThrough }: GrpcServices, serving: GrpcServing) {
    this.passThrough = passThrough;
    this.server = new Server({
      // One limit for all services, so that of the widest: ours have their own.
      'grpc.max_receive_message_length': Math.max(
        LARGEST_REQUEST_BYTES,
        passThrough?.largestRequestBytes ?? 0,
      ),
      'grpc.max_concurrent_streams': MOST_CALLS_OF_A_CONNECTION,
      'grpc.max_connection_idle_ms': serving.idleMs ?? IDLE_MS,
      'grpc.max_connection_age_ms': serving.maxAgeMs,
      'grpc.max_connection_age_grace_ms': serving.ageGraceMs ?? AGE_GRACE_MS,
      // Many callers keep a connection open: find those that are gone without a word.
      'grpc.keepalive_time_ms': 60_000,
      'grpc.keepalive_timeout_ms': 20_000,
      // Its bookkeeping of every call is for a service that is not offered here.
      'grpc.enable_channelz': 0,
      interceptors: passThrough === undefined ? [] : [passThrough.interceptor],
    });
    limitHeaders(this.server, LARGEST_HEADERS_BYTES);
    this.server.addService(...boundedService(JobServiceService, { ...legacy }, LARGEST_REQUEST_BYTES));
    this.server.addService(...boundedService(JobsService, { ...jobs }, LARGEST_REQUEST_BYTES));
    this.watches = new EndingStreams(this.server);
    this.watches.add(this.health, 'watch');
    new ReflectionService(reflectedFiles(), {
      services: [...ANSWERED, 'grpc.health.v1.Health'],
    }).addToServer(this.server);
    passThrough?.attach(this.server);
    this.port = new GrpcPort(this.server, serving);
  }

  /** Listens (port 0: at any free one). Resolves to the port; rejects with a message that names the address. */
  async listen({ host, port, text }: ListenAddress): Promise<number> {
    try {
      return await this.port.listen(host, port);
    } catch (error) {
      throw new Error(`cannot listen for gRPC at ${text} (QUERY_GRPC_ADDRESS): ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Says NOT_SERVING, takes no more calls, lets those that run finish, and cuts off what is left. */
  async stop(): Promise<void> {
    for (const service of ['', ...ANSWERED]) this.health.setStatus(service, 'NOT_SERVING');
    this.watches.end();
    this.passThrough?.endWatches();
    this.port.close();
    await new Promise<void>((resolve) => {
      const cutOff = setTimeout(resolve, DRAIN_MS);
      this.server.tryShutdown(() => {
        clearTimeout(cutOff);
        resolve();
      });
    });
    this.port.cutOff();
  }
}
