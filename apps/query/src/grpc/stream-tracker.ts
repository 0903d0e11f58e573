import {
  status,
  type Server,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

type Stream = ServerWritableStream<unknown, unknown>;

/** A service that adds itself to a server, as the health service does. */
interface Addable {
  addToServer(server: Server): void;
}

/** Adds services whose server streams never end by themselves, and ends those streams when the server stops. */
export class StreamTracker {
  private readonly open = new Set<Stream>();

  constructor(private readonly server: Server) {}

  /** Adds the service, and tracks the streams of its method `method`. */
  add(service: Addable, method: string): void {
    const tracking: Pick<Server, 'addService'> = {
      addService: (definition, implementation) =>
        this.server.addService(definition, {
          ...implementation,
          [method]: this.tracked(implementation[method]),
        }),
    };
    service.addToServer(tracking as Server);
  }

  /** Ends all streams, so that their clients connect to another replica. */
  endAll(): void {
    for (const stream of this.open) {
      stream.emit('error', { code: status.UNAVAILABLE, details: 'this replica is shutting down; retry' });
    }
  }

  private tracked(handler: UntypedServiceImplementation[string] | undefined): (stream: Stream) => void {
    return (stream) => {
      this.open.add(stream);
      stream.on('close', () => this.open.delete(stream));
      (handler as (stream: Stream) => void)(stream);
    };
  }
}
