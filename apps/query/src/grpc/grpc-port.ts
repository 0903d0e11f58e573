import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { shareConnections, verifiedCertificate, type ConnectionRejected } from '@ajs/runtime';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import type { ServerTls } from '../server-tls/server-tls.js';

/** A peer has this long, and up to twice that, to close a connection that the server has ended. Milliseconds. */
const LINGER_MS = 2_000;

export interface GrpcPortOptions {
  /** `undefined`: plaintext. */
  readonly tls: ServerTls | undefined;
  /** Connections beyond this number are rejected, and those beyond the fair share of their address. */
  readonly maxConnections: number;
  readonly onRejected: ConnectionRejected;
}

/**
 * A TCP port whose connections a gRPC server serves. Where grpc-js listens itself, nothing limits their number, nor how long a peer may
 * keep a connection that the server has ended.
 */
export class GrpcPort {
  private readonly listener: TcpServer;
  private readonly open = new Set<Socket>();
  private readonly ended = new WeakSet<Socket>();
  private readonly sweep: NodeJS.Timeout;

  constructor(server: Server, { tls, maxConnections, onRejected }: GrpcPortOptions) {
    // It gets plaintext: TLS, where there is any, ends at our listener.
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const serve = (socket: Socket): void => {
      this.keep(socket);
      injector.injectConnection(socket);
    };
    this.listener = tls === undefined ? createServer(serve) : tlsListener(tls, serve);
    shareConnections(this.listener, maxConnections, onRejected);
    this.sweep = setInterval(() => this.destroyEnded(), LINGER_MS).unref();
  }

  /** Resolves to the number of the port; rejects where it cannot be opened. */
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

  /** Accepts no more connections; open ones stay. */
  close(): void {
    this.listener.close();
  }

  /** Closes open connections, whatever they do. */
  destroy(): void {
    clearInterval(this.sweep);
    for (const socket of this.open) socket.destroy();
  }

  private keep(socket: Socket): void {
    socket.setNoDelay(true);
    // It closes after that, which is all that matters here.
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

/** Uses the files as they are when a connection arrives; rejects clients without the certificate that is requested. */
function tlsListener(tls: ServerTls, serve: (socket: Socket) => void): TcpServer {
  const options = { ...tls.serverOptions, ...tls.context, rejectUnauthorized: true, ALPNProtocols: ['h2'] };
  const listener = createTlsServer(options, (socket) => {
    // Node lets a client resume a session whose certificate has expired since it began.
    if (tls.requestsCertificates && verifiedCertificate(socket) === undefined) socket.destroy();
    else serve(socket);
  });
  // Node only reports a handshake that takes too long.
  listener.on('tlsClientError', (_, socket) => socket.destroy());
  tls.onRenewed((context) => listener.setSecureContext(context));
  return listener;
}
