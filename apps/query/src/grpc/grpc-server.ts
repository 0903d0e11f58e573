import { JobsService, type JobsServer } from '@ajs/contracts/api/job';
import { JobServiceService, type JobServiceServer } from '@ajs/contracts/jobservice/jobservice';
import type { ListenAddress } from '@ajs/config';
import { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { PassThrough } from '../pass-through/pass-through.js';
import type { ServingTls } from '../serving-tls/serving-tls.js';
import { boundedService } from './bounded-service.js';
import { EndingStreams } from './ending-streams.js';
import { GrpcPort } from './grpc-port.js';
import { reflectedFiles } from './reflected-files.js';
import { serverCredentials } from './renewed-credentials.js';

/** No request of ours is near this size. Bytes. */
const LARGEST_REQUEST_BYTES = 1024 * 1024;
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

export interface GrpcServing {
  /** `undefined`: plaintext. */
  readonly tls: ServingTls | undefined;
  /** More are closed as they come. */
  readonly mostConnections: number;
  /** Told of each of those. */
  readonly refused: () => void;
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
      // Many callers keep a connection open: find those that are gone without a word.
      'grpc.keepalive_time_ms': 60_000,
      'grpc.keepalive_timeout_ms': 20_000,
      // Its bookkeeping of every call is for a service that is not offered here.
      'grpc.enable_channelz': 0,
      interceptors: passThrough === undefined ? [] : [passThrough.interceptor],
    });
    this.server.addService(...boundedService(JobServiceService, { ...legacy }, LARGEST_REQUEST_BYTES));
    this.server.addService(...boundedService(JobsService, { ...jobs }, LARGEST_REQUEST_BYTES));
    this.watches = new EndingStreams(this.server);
    this.watches.add(this.health, 'watch');
    new ReflectionService(reflectedFiles(), {
      services: [...ANSWERED, 'grpc.health.v1.Health'],
    }).addToServer(this.server);
    passThrough?.attach(this.server);
    this.port = new GrpcPort(
      this.server,
      serverCredentials(serving.tls),
      serving.mostConnections,
      serving.refused,
    );
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
      const cutOff = setTimeout(() => {
        this.port.cutOff();
        resolve();
      }, DRAIN_MS);
      this.server.tryShutdown(() => {
        clearTimeout(cutOff);
        resolve();
      });
    });
  }
}
