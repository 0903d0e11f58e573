import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { ExpressAdapter } from '@nestjs/platform-express';
import { requireCertificate } from './client-certificates.js';

/** TLS of a server, whose files may change while it serves. */
export interface ServedTls {
  readonly context: SecureContextOptions;
  readonly serverOptions: TlsOptions;
  readonly asksForCertificates: boolean;
  onRenewed(listener: (context: SecureContextOptions) => void): void;
}

export interface HttpBounds {
  /** More are closed as they come. */
  readonly maxConnections: number;
  /** Told of each of those. */
  readonly refused: () => void;
  /** `undefined`: plaintext. */
  readonly tls?: ServedTls | undefined;
  readonly patience?: typeof PATIENCE;
}

/** What a slow or silent client is granted. Milliseconds. */
export const PATIENCE = {
  headersTimeout: 10_000,
  /** Until the body has come, whole. */
  requestTimeout: 30_000,
  /** Longer than the 60 s that the usual proxies keep a connection without requests: the one to close it first should be they. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  /** Nothing moves, either way, while a request is answered: its client does not read. Longer than a call is held. */
  silence: 5 * 60_000,
};

/** An `authorization` may have 16 KiB. */
const LARGEST_HEADER_BYTES = 32 * 1024;

/** Express on a server with bounds, where Nest would make one without. */
export class BoundedHttp extends ExpressAdapter {
  private readonly sockets = new Set<Socket>();

  constructor(private readonly bounds: HttpBounds) {
    super();
  }

  override initHttpServer(): void {
    const { maxConnections, refused, tls } = this.bounds;
    if (tls?.asksForCertificates === true) this.use(requireCertificate);
    const server = this.created(tls);
    server.maxConnections = maxConnections;
    server.setTimeout((this.bounds.patience ?? PATIENCE).silence);
    server.on('drop', refused);
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.httpServer = server;
  }

  /** With the connections that are open. */
  override async close(): Promise<unknown> {
    for (const socket of this.sockets) socket.destroy();
    return super.close();
  }

  private created(tls: ServedTls | undefined): Server {
    const answer = this.getInstance<RequestListener>();
    const options = { maxHeaderSize: LARGEST_HEADER_BYTES, ...(this.bounds.patience ?? PATIENCE) };
    if (tls === undefined) return createServer(options, answer);
    const { context, serverOptions } = tls;
    // Whom it takes is said in words by requireCertificate: probes of health have none.
    const server = createTlsServer(
      { ...options, ...serverOptions, ...context, rejectUnauthorized: false },
      answer,
    );
    tls.onRenewed((renewed) => server.setSecureContext(renewed));
    return server;
  }
}
