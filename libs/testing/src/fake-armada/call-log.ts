import {
  Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  ServerListenerBuilder,
  type ServerInterceptor,
} from '@grpc/grpc-js';

/** The most calls of a method whose metadata is kept. */
const MAX_CALLS = 100;

/** What callers sent, by path such as `/api.Jobs/GetJobStatus`, and what is added to every response. */
export class CallLog {
  /** Added to the initial and to the trailing metadata of every response. */
  readonly added = { headers: new Metadata(), trailers: new Metadata() };
  private readonly counts = new Map<string, number>();
  private readonly countsByAuthorization = new Map<string | undefined, Map<string, number>>();
  private readonly received = new Map<string, Metadata[]>();

  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        this.note(path, metadata);
        next(metadata);
      })
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendMetadata((metadata, next) => {
        metadata.merge(this.added.headers);
        next(metadata);
      })
      .withSendStatus((status, next) => {
        const metadata = status.metadata ?? new Metadata();
        metadata.merge(this.added.trailers);
        next({ ...status, metadata });
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };

  /** How often a method was called. */
  count(path: string): number {
    return this.counts.get(path) ?? 0;
  }

  /** Of every method that was called. */
  all(): Record<string, number> {
    return Object.fromEntries(this.counts);
  }

  /**
   * The methods that were called with this `authorization`, how often each; `undefined`: without any. Where a caller sent several,
   * the first counts, as for Armada.
   */
  countsOf(authorization: string | undefined): Record<string, number> {
    return Object.fromEntries(this.countsByAuthorization.get(authorization) ?? []);
  }

  /** The metadata of the last calls of a method, the newest last. */
  metadata(path: string): readonly Metadata[] {
    return this.received.get(path) ?? [];
  }

  private note(path: string, metadata: Metadata): void {
    this.counts.set(path, this.count(path) + 1);
    const [authorization] = metadata.get('authorization').map(String);
    const counts = this.countsByAuthorization.get(authorization) ?? new Map<string, number>();
    counts.set(path, (counts.get(path) ?? 0) + 1);
    this.countsByAuthorization.set(authorization, counts);
    const calls = this.received.get(path) ?? [];
    calls.push(metadata.clone());
    if (calls.length > MAX_CALLS) calls.shift();
    this.received.set(path, calls);
  }
}
