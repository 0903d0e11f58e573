import { credentials, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';

/**
 * How Armada is reached: its address, and TLS or none. Nothing of who we are: what forwards the calls of others gets this, and
 * never an `ArmadaIdentity`.
 */
export interface ArmadaTransport {
  /** host:port. */
  readonly address: string;
  /** Of the connection alone; there are no call credentials in it. */
  readonly channelCredentials: ChannelCredentials;
  /** To be given to every channel, beside its own options. */
  readonly channelOptions: ChannelOptions;
}

export function withoutTls(address: string): ArmadaTransport {
  return { address, channelCredentials: credentials.createInsecure(), channelOptions: {} };
}

export interface TlsOptions {
  /** PEM; Node's own roots where it is left out. */
  readonly ca: Buffer | undefined;
  /** Our certificate and its key. PEM. */
  readonly client: { readonly certificate: Buffer; readonly key: Buffer } | undefined;
  /** The name in the server's certificate; '' where it is the address's host. */
  readonly serverName: string;
}

/** Throws where certificate and key do not fit, or are none. */
export function withTls(address: string, { ca, client, serverName }: TlsOptions): ArmadaTransport {
  return {
    address,
    channelCredentials: credentials.createSsl(ca ?? null, client?.key ?? null, client?.certificate ?? null),
    channelOptions: serverName === '' ? {} : { 'grpc.ssl_target_name_override': serverName },
  };
}
