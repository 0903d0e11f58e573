import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { ExpressAdapter } from '@nestjs/platform-express';
import { addMs, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { requireCertificate } from './client-certificates.js';
import { HEADERS_KEPT, rejectManyHeaders } from './header-count.js';
import { oneAtATime } from './one-at-a-time.js';
import { shareConnections, type ConnectionRejected } from './share-connections.js';

/** TLS of an HTTP server. Its certificate may be renewed while the server runs. */
export interface HttpTls {
  readonly context: SecureContextOptions;
  readonly serverOptions: TlsOptions;
  readonly requestsCertificates: boolean;
  /** Calls the listener with each context that replaces the one before. */
  onRenewed(listener: (context: SecureContextOptions) => void): void;
}

export interface HttpLimits {
  /** Connections beyond this number are rejected, and those beyond the fair share of their address. */
  readonly maxConnections: number;
  readonly onRejected: ConnectionRejected;
  /** Called for each connection that is closed because too many of its requests wait. */
  readonly onPipelined: () => void;
  /** `undefined`: plaintext. */
  readonly tls?: HttpTls | undefined;
  readonly timeouts?: typeof TIMEOUTS;
}

/** How long a slow or silent client may take. Milliseconds. */
export const TIMEOUTS = {
  headersTimeout: 10_000,
  /** Until the whole body has arrived. */
  requestTimeout: 30_000,
  /** Longer than the 60 s for which common proxies keep an idle connection, so that the proxy is the one to close it. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  /** From when something is written to a client until it has read all of it. */
  unread: 30_000,
  /** A request is in progress, and no byte moves either way. Longer than calls are held, but those that turn it off for their response. */
  silence: 5 * 60_000,
};

/** A client that has vanished without closing its connection is noticed ten seconds after this much silence. Milliseconds. */
const TCP_KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** An `authorization` alone may have 16 KiB. */
const MAX_HEADER_BYTES = 32 * 1024;

/** Nest's adapter for Express, over an HTTP server with limits; Nest would make one without. */
export class BoundedHttpAdapter extends ExpressAdapter {
  /** Open connections, each with the time since when it has had bytes that its client has not read. */
  private readonly sockets = new Map<Socket, MonotonicTime | undefined>();
  private unreadCheck: NodeJS.Timeout | undefined;

  constructor(private readonly limits: HttpLimits) {
    super();
    this.disable('x-powered-by');
  }

  override initHttpServer(): void {
    const { maxConnections, onRejected, tls } = this.limits;
    this.use(rejectManyHeaders);
    if (tls?.requestsCertificates === true) this.use(requireCertificate);
    const server = this.createServer(tls);
    server.maxHeadersCount = HEADERS_KEPT;
    shareConnections(server, maxConnections, onRejected);
    const { silence, connectionsCheckingInterval } = this.timeouts;
    server.setTimeout(silence);
    // With TLS, what waits for the client is in the secure connection, which has an end of its own.
    for (const opened of ['connection', 'secureConnection']) {
      server.on(opened, (socket: Socket) => {
        this.sockets.set(socket, undefined);
        socket.on('close', () => this.sockets.delete(socket));
      });
    }
    this.unreadCheck = setInterval(() => this.closeUnread(), connectionsCheckingInterval).unref();
    this.httpServer = server;
  }

  /** Closes open connections too, whatever they do. */
  override async close(): Promise<unknown> {
    clearInterval(this.unreadCheck);
    for (const socket of this.sockets.keys()) socket.destroy();
    return super.close();
  }

  private get timeouts(): typeof TIMEOUTS {
    return this.limits.timeouts ?? TIMEOUTS;
  }

  /** A client that does not read would have its responses kept in memory. */
  private closeUnread(): void {
    const now = monotonicNow();
    for (const [socket, since] of this.sockets) {
      if (socket.writableLength === 0) this.sockets.set(socket, undefined);
      else if (since === undefined) this.sockets.set(socket, now);
      else if (now >= addMs(since, this.timeouts.unread)) socket.destroy();
    }
  }

  private createServer(tls: HttpTls | undefined): Server {
    const handler = oneAtATime(this.getInstance<RequestListener>(), this.limits.onPipelined);
    const options = { maxHeaderSize: MAX_HEADER_BYTES, ...TCP_KEEP_ALIVE, ...this.timeouts };
    if (tls === undefined) return createServer(options, handler);
    const { context, serverOptions } = tls;
    // requireCertificate rejects by a response that says why, and lets health probes pass, which have no certificate.
    const server = createTlsServer(
      { ...options, ...serverOptions, ...context, rejectUnauthorized: false },
      handler,
    );
    tls.onRenewed((renewed) => server.setSecureContext(renewed));
    return server;
  }
}
