import { ServerCredentials } from '@grpc/grpc-js';
import type { ServingTls } from '../serving-tls/serving-tls.js';

/** TLS of a gRPC server, by the files as they are when a connection comes. Clients without a certificate that is asked for are refused. */
class RenewedCredentials extends ServerCredentials {
  constructor(tls: ServingTls) {
    super({ ...tls.serverOptions, rejectUnauthorized: true }, tls.context);
    tls.onRenewed((context) => this.updateSecureContextOptions(context));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

export function serverCredentials(tls: ServingTls | undefined): ServerCredentials {
  return tls === undefined ? ServerCredentials.createInsecure() : new RenewedCredentials(tls);
}
