import type { ListenAddress } from '@ajs/config';
import type { GrpcServerOptions } from '../grpc-server.js';

/** Any free port of this machine. */
export const FREE_PORT: ListenAddress = { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' };

/** Plaintext, with limits that no test reaches. */
export const PLAIN: GrpcServerOptions = {
  tls: undefined,
  maxConnections: 100,
  onRejected: () => undefined,
  maxAgeMs: 60_000,
};
