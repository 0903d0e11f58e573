import type { ListenAddress } from '@ajs/config';
import { INVALID_TIMEOUT, timeoutMsOf } from '@ajs/platform';
import { Server, status } from '@grpc/grpc-js';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { MessageBudget } from '../load/message-budget.js';
import type { PassThrough } from '../pass-through/pass-through.js';
import { presentedBy } from './caller-of.js';
import { GrpcCall, type CallLimits } from './grpc-call.js';
import { GrpcPort, type GrpcPortOptions } from './grpc-port.js';
import { Health } from './health.js';
import { limitHeaders } from './limit-headers.js';
import { LiveCalls } from './live-calls.js';
import { reflectionMethods } from './reflection.js';
import { handleStreams } from './stream-handler.js';
import { streamCall, type StreamMethod } from './server-stream.js';
import { UnaryCall, type UnaryCallsOptions } from './unary-call.js';
import type { UnaryMethod } from './unary-method.js';

/** A proxy that shares a connection among many callers may have hundreds of polls waiting; each costs a few KiB. */
const MAX_CALLS_PER_CONNECTION = 1_000;
/** An `authorization` alone may have 16 KiB. */
const MAX_HEADER_BYTES = 32 * 1024;
/** Connections without a call are closed after this time: before the 30 min of common clients. Reconnecting costs a poll little. */
const IDLE_MS = 10 * 60_000;
/** Finds connections whose peer has vanished, or keeps them half open: it answers no pings. Milliseconds. */
const PINGS = { everyMs: 60_000, timeoutMs: 20_000 };
/** Calls may run this much longer than their connection's age: forwarded watches and `Watch` of health never end by themselves. */
const AGE_GRACE_MS = 5 * 60_000;
/** A caller has this long to send a request. Milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
/** As {@link REQUEST_TIMEOUT_MS}, for each message of a forwarded call, which may be thousands of times larger. Milliseconds. */
const FORWARDED_REQUEST_TIMEOUT_MS = 30_000;
/** A caller has this long to take a part of its response. Milliseconds. */
const RESPONSE_TIMEOUT_MS = 30_000;
/** Calls that still run this long after the server began to stop are aborted. Milliseconds. */
const DRAIN_MS = 3_000;

/** Of a path that a status repeats. Characters. */
const MAX_SHOWN_LENGTH = 200;

/** Services with a status of their own in `grpc.health.v1`. */
const OWN_SERVICES = ['api.Jobs', 'jobservice.JobService', 'jobservice.v2.JobStatusService'];

export interface GrpcServices {
  /** Our own methods. */
  readonly methods: readonly UnaryMethod[];
  /** Those with a stream of responses. */
  readonly streams?: readonly StreamMethod[];
  /** Forwards calls of Armada's other services; `undefined`: they are UNIMPLEMENTED. */
  readonly passThrough?: PassThrough | undefined;
}

export interface GrpcServerOptions extends GrpcPortOptions, UnaryCallsOptions {
  /** Pays for what calls hold in memory. */
  readonly budget: MessageBudget;
  /** Older connections are closed by GOAWAY, so that their clients reconnect and spread over new replicas. The time varies by ten per cent. */
  readonly maxAgeMs: number;
  readonly ageGraceMs?: number;
  readonly idleMs?: number;
  readonly pings?: typeof PINGS;
  readonly requestTimeoutMs?: number;
  readonly responseTimeoutMs?: number;
}

/** A method as it is served, whoever answers it. */
interface Route {
  readonly limits: CallLimits;
  readonly run: (call: GrpcCall, headers: IncomingHttpHeaders) => void;
}

/**
 * The gRPC server: our methods, `grpc.health.v1`, reflection, and pass-through to Armada. grpc-js keeps the connections; every call is a
 * {@link GrpcCall} of ours.
 */
export class GrpcServer {
  private readonly server: Server;
  private readonly port: GrpcPort;
  private readonly health = new Health(OWN_SERVICES);
  private readonly routes = new Map<string, Route>();
  private readonly calls = new LiveCalls();
  private readonly unknownMethod: Route;
  private readonly forwarded: CallLimits | undefined;
  private readonly passThrough: PassThrough | undefined;

  constructor(
    { methods, streams = [], passThrough }: GrpcServices,
    private readonly options: GrpcServerOptions,
  ) {
    this.passThrough = passThrough;
    const { pings = PINGS } = options;
    this.server = new Server({
      'grpc.max_concurrent_streams': MAX_CALLS_PER_CONNECTION,
      'grpc.max_connection_idle_ms': options.idleMs ?? IDLE_MS,
      'grpc.max_connection_age_ms': options.maxAgeMs,
      'grpc.max_connection_age_grace_ms': options.ageGraceMs ?? AGE_GRACE_MS,
      'grpc.keepalive_time_ms': pings.everyMs,
      'grpc.keepalive_timeout_ms': pings.timeoutMs,
      // It keeps records of every call for a service that is not served here.
      'grpc.enable_channelz': 0,
    });
    limitHeaders(this.server, MAX_HEADER_BYTES);
    handleStreams(this.server, (stream, headers) => this.handle(stream, headers));
    const requestMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    const responseMs = options.responseTimeoutMs ?? RESPONSE_TIMEOUT_MS;
    const limitsOf = (maxMessageBytes: number): CallLimits => ({
      maxMessageBytes,
      timeouts: { requestMs, responseMs },
      keepsHeaders: false,
      slowsCaller: false,
    });
    this.unknownMethod = { limits: limitsOf(0), run: rejectUnknownMethod };
    this.forwarded = passThrough && {
      maxMessageBytes: passThrough.maxRequestBytes,
      timeouts: { requestMs: FORWARDED_REQUEST_TIMEOUT_MS, responseMs },
      keepsHeaders: true,
      slowsCaller: true,
    };
    for (const method of [...methods, ...this.health.methods]) {
      this.routes.set(method.definition.path, {
        limits: limitsOf(method.maxRequestBytes),
        run: (call) => new UnaryCall(method, call, options).run(),
      });
    }
    for (const method of streams) {
      this.routes.set(method.definition.path, {
        limits: limitsOf(method.maxRequestBytes),
        run: (call) => new UnaryCall(streamCall(method, call), call, options).run(),
      });
    }
    const grpcStreams = [
      ...reflectionMethods([...OWN_SERVICES, 'grpc.health.v1.Health']),
      { ...this.health.watchMethod, run: (call: GrpcCall) => this.health.watch(call) },
    ];
    for (const { path, maxRequestBytes, run } of grpcStreams) {
      this.routes.set(path, { limits: limitsOf(maxRequestBytes), run });
    }
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
    this.health.stop();
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
    this.calls.stop();
  }

  private handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const path = String(headers[':path']);
    const { limits, run } = this.routes.get(path) ?? this.forwardingRoute(path) ?? this.unknownMethod;
    const timeout = headers['grpc-timeout'];
    const timeoutMs = timeout === undefined ? Infinity : timeoutMsOf(String(timeout));
    const caller = presentedBy(stream, headers, this.options.access.keyOf);
    const call = new GrpcCall(stream, headers, timeoutMs ?? Infinity, {
      caller,
      limits,
      account: this.options.budget.open(caller.key),
      calls: this.calls,
    });
    if (call.isOver) return;
    if (!String(headers['content-type']).startsWith('application/grpc')) call.sendHttpStatus(415);
    else if (timeoutMs === undefined) call.sendStatus({ code: status.INTERNAL, details: INVALID_TIMEOUT });
    else run(call, headers);
  }

  private forwardingRoute(path: string): Route | undefined {
    const run = this.passThrough?.forwarderOf(path);
    return run && this.forwarded && { limits: this.forwarded, run };
  }
}

function rejectUnknownMethod(call: GrpcCall, headers: IncomingHttpHeaders): void {
  const details = `there is no method ${String(headers[':path']).slice(0, MAX_SHOWN_LENGTH)} here`;
  call.sendStatus({ code: status.UNIMPLEMENTED, details });
}
