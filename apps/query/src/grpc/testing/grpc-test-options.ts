import type { ListenAddress } from '@ajs/config';
import { Admission } from '../../load/admission.js';
import { MessageBudget } from '../../load/message-budget.js';
import type { GrpcServerOptions } from '../grpc-server.js';

/** Any free port of this machine. */
export const FREE_PORT: ListenAddress = { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' };

/** Plaintext, for callers without credentials, with limits that no test reaches. */
export const PLAIN: GrpcServerOptions = {
  tls: undefined,
  access: { authenticate: () => undefined, keyOf: ({ address }) => address() },
  admission: new Admission({ working: 1_000, waiting: 1_000 }, () => undefined),
  budget: new MessageBudget(256 * 1024 * 1024, () => undefined),
  maxConnections: 100,
  onRejected: () => undefined,
  maxAgeMs: 60_000,
};
