import { dropEmptyExceptions, proxyFor, type Proxy } from '@ajs/platform';
import { credentials, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';

/**
 * How to reach Armada: its address, and whether with TLS. It holds no identity: what forwards the calls of others gets this and never
 * an `ArmadaIdentity`.
 */
export interface ArmadaTransport {
  /** host:port. */
  readonly address: string;
  /** For the connection alone, without call credentials. */
  readonly channelCredentials: ChannelCredentials;
  /** For every channel, besides its own options. */
  readonly channelOptions: ChannelOptions;
  /** That grpc-js connects through, for texts. */
  readonly proxy: Proxy | undefined;
}

export function withoutTls(address: string): ArmadaTransport {
  return transport(address, credentials.createInsecure());
}

export interface TlsOptions {
  /** PEM; Node's own roots where it is left out. */
  readonly ca: Buffer | undefined;
  /** Our certificate and its key. PEM. */
  readonly client: { readonly certificate: Buffer; readonly key: Buffer } | undefined;
  /** The name expected in the server's certificate; '' for the address's host. */
  readonly serverName: string;
}

/** Throws where certificate and key are invalid or do not match. */
export function withTls(address: string, { ca, client, serverName }: TlsOptions): ArmadaTransport {
  return transport(
    address,
    credentials.createSsl(ca ?? null, client?.key ?? null, client?.certificate ?? null),
    serverName === '' ? {} : { 'grpc.ssl_target_name_override': serverName },
  );
}

function transport(
  address: string,
  channelCredentials: ChannelCredentials,
  channelOptions: ChannelOptions = {},
): ArmadaTransport {
  dropEmptyExceptions(process.env);
  const proxy = proxyFor(address.replace(/:\d+$/, ''), 'grpc', process.env);
  return {
    address,
    channelCredentials,
    // grpc-js would take a proxy to loopback, too.
    channelOptions: { ...channelOptions, ...(proxy === undefined && { 'grpc.enable_http_proxy': 0 }) },
    proxy,
  };
}
