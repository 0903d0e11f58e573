import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import type { ServerTls } from '../server-tls/server-tls.js';

/** A connection that the server has ended is given so long for its peer to end it, too, and up to twice that. Milliseconds. */
const LINGER_MS = 2_000;

export interface GrpcPortOptions {
  /** `undefined`: plaintext. */
  readonly tls: ServerTls | undefined;
  /** More are closed as they come. */
  readonly maxConnections: number;
  /** Told of each of those. */
  readonly refused: () => void;
}

/**
 * A TCP port whose connections a gRPC server serves. Where grpc-js listens itself, nothing bounds their number, nor how long a peer
 * may keep one that the server has ended.
 */
export class GrpcPort {
  private readonly listener: TcpServer;
  private readonly open = new Set<Socket>();
  private readonly ended = new WeakSet<Socket>();
  private readonly sweep: NodeJS.Timeout;

  constructor(server: Server, { tls, maxConnections, refused }: GrpcPortOptions) {
    // What comes to it is what was in the TLS, if there is any.
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const serve = (socket: Socket): void => {
      this.keep(socket);
      injector.injectConnection(socket);
    };
    this.listener = tls === undefined ? createServer(serve) : tlsListener(tls, serve);
    this.listener.maxConnections = maxConnections;
    this.listener.on('drop', refused);
    this.sweep = setInterval(() => this.destroyEnded(), LINGER_MS).unref();
  }

  /** Resolves to the port; rejects where it cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.listener.once('error', reject);
      this.listener.listen({ host, port }, () => {
        this.listener.off('error', reject);
        resolve();
      });
    });
    return (this.listener.address() as AddressInfo).port;
  }

  /** No more connections; those that are open stay. */
  close(): void {
    this.listener.close();
  }

  /** Ends the connections that are open, whatever they do. */
  cutOff(): void {
    clearInterval(this.sweep);
    for (const socket of this.open) socket.destroy();
  }

  private keep(socket: Socket): void {
    socket.setNoDelay(true);
    // It closes then, which is all that anybody wants to know.
    socket.on('error', () => undefined);
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
  }

  private destroyEnded(): void {
    for (const socket of this.open) {
      if (this.ended.has(socket)) socket.destroy();
      else if (socket.writableEnded) this.ended.add(socket);
    }
  }
}

/** By the files as they are when a connection comes; a client without a certificate that is asked for is refused. */
function tlsListener(tls: ServerTls, serve: (socket: Socket) => void): TcpServer {
  const options = { ...tls.serverOptions, ...tls.context, rejectUnauthorized: true, ALPNProtocols: ['h2'] };
  const listener = createTlsServer(options, serve);
  tls.onRenewed((context) => listener.setSecureContext(context));
  return listener;
}
