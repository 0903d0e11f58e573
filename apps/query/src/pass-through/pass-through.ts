import type { IncomingHttpHeaders } from 'node:http2';
import { createForwardingChannels, type ChannelPool } from '@ajs/armada-client';
import type { ArmadaTransport } from '@ajs/armada-credentials';
import type { QueryMetrics } from '@ajs/observability';
import { status } from '@grpc/grpc-js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { countRefusals } from '../load/limit-reached.js';
import { ForwardedCall, type ExchangeObserver } from './forwarded-call.js';
import { OpenCalls } from '../load/open-calls.js';
import type { WatchPermissions } from './watch-permissions.js';

export interface PassThroughOptions {
  readonly transport: ArmadaTransport;
  /** Full names of the services whose methods are forwarded, including methods that this version does not know. */
  readonly services: readonly string[];
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
  readonly maxWatches: number;
  /** All calls but watches. */
  readonly maxCalls: number;
  readonly watchPermissions: WatchPermissions;
  /** Observers of unary methods, by path. */
  readonly observers: ReadonlyMap<string, ExchangeObserver>;
  readonly metrics: Pick<QueryMetrics, 'shedCalls' | 'forwardedCalls' | 'forwardedWatches' | 'callSeconds'>;
}

/** Armada's own services, passed through: nothing is decoded or added, and no credential of this service is involved. */
export class PassThrough {
  private readonly services: ReadonlySet<string>;
  private readonly channels: ChannelPool;
  private readonly watches: OpenCalls;
  private readonly calls: OpenCalls;

  constructor(private readonly options: PassThroughOptions) {
    this.services = new Set(options.services);
    this.channels = createForwardingChannels(options.transport, options.maxResponseBytes);
    this.watches = new OpenCalls(options.maxWatches, (open) => {
      options.metrics.forwardedWatches.set(open);
    });
    this.calls = new OpenCalls(options.maxCalls);
  }

  /** The largest message that a caller may send. Bytes. */
  get maxRequestBytes(): number {
    return this.options.maxRequestBytes;
  }

  /** How to forward a call of this method; `undefined` where it is not forwarded. */
  forwarderOf(path: string): ((call: GrpcCall, headers: IncomingHttpHeaders) => void) | undefined {
    const service = /^\/([\w.]+)\/\w+$/.exec(path)?.[1];
    return service !== undefined && this.services.has(service)
      ? (call, headers) => this.forward(service, path, call, headers)
      : undefined;
  }

  /** Ends the watches, which never end by themselves, so that their callers connect to another replica. */
  endWatches(): void {
    this.watches.endAll();
  }

  /** Closes the connections to Armada; call it when no call is open. */
  close(): void {
    this.channels.close();
  }

  private forward(service: string, path: string, call: GrpcCall, headers: IncomingHttpHeaders): void {
    const { transport, observers, metrics, watchPermissions } = this.options;
    const forwarded = new ForwardedCall(path, call, {
      channels: this.channels,
      armada: transport.address,
      watches: this.watches,
      calls: this.calls,
      refused: countRefusals(metrics),
      watchPermissions,
      observer: observers.get(path),
      // A server may answer with a number that is not a gRPC code.
      ended: (code, seconds) => {
        metrics.forwardedCalls.labels(service, code in status ? status[code] : 'UNKNOWN').inc();
        if (seconds !== undefined) metrics.callSeconds.observe({ api: 'forwarded' }, seconds);
      },
    });
    forwarded.start(headers);
  }
}
