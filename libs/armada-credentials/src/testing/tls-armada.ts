import type { CertificateAuthority } from '@ajs/testing';
import { Client, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ArmadaTransport } from '../transport.js';

/** A gRPC server with TLS and without any method, for specs that try whether it is reached. */
export class TlsArmada {
  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** @param clientCa The authority of the certificates that clients must present; none, where it is left out */
  static async start(
    authority: CertificateAuthority,
    name: string,
    clientCa?: CertificateAuthority,
  ): Promise<TlsArmada> {
    const { cert, key } = await authority.sign([name]);
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
    const ca = clientCa === undefined ? null : Buffer.from(clientCa.cert);
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) => {
      const tls = ServerCredentials.createSsl(ca, [pair], ca !== null);
      server.bindAsync('127.0.0.1:0', tls, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    return new TlsArmada(server, port);
  }

  stop(): void {
    this.server.forceShutdown();
  }
}

/** How a call ends: UNIMPLEMENTED where it reaches the server. */
export async function call({
  address,
  channelCredentials,
  channelOptions,
}: ArmadaTransport): Promise<string | undefined> {
  const client = new Client(address, channelCredentials, {
    ...channelOptions,
    'grpc.use_local_subchannel_pool': 1,
  });
  const same = (bytes: Buffer): Buffer => bytes;
  const code = await new Promise<status>((resolve) => {
    client.makeUnaryRequest('/a/b', same, same, Buffer.alloc(0), (error) =>
      resolve(error?.code ?? status.OK),
    );
  });
  client.close();
  return status[code];
}
