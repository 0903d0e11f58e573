import type { ListenAddress } from '@ajs/config';
import type { GrpcServing } from './grpc-server.js';

/** For tests: a free port of this machine. */
export const ANY_PORT: ListenAddress = { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' };

/** For tests: plaintext. */
export const PLAIN: GrpcServing = {
  tls: undefined,
  maxConnections: 100,
  refused: () => undefined,
  maxAgeMs: 60_000,
};
