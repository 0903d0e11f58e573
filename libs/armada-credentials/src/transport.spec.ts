import { CertificateAuthority, ConnectProxy } from '@ajs/testing';
import { Client, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { withTls, type ArmadaTransport } from './transport.js';

const NAME = 'armada.example';
const before = { ...process.env };

let authority: CertificateAuthority;
/** Without any method. */
let server: Server;
let port: number;
let proxy: ConnectProxy;
beforeAll(async () => {
  authority = await CertificateAuthority.create();
  const { cert, key } = await authority.sign([NAME]);
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  server = new Server();
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createSsl(null, [pair]), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
});
beforeEach(async () => {
  proxy = new ConnectProxy(port);
  process.env['https_proxy'] = await proxy.listen();
});
afterEach(() => {
  process.env = { ...before };
  proxy.stop();
});
afterAll(() => {
  server.forceShutdown();
  authority.remove();
});

function transportTo(address: string, serverName = ''): ArmadaTransport {
  return withTls(address, { ca: Buffer.from(authority.cert), client: undefined, serverName });
}

/** How a call ends: UNIMPLEMENTED where it reaches the server. */
async function call({ address, channelCredentials, channelOptions }: ArmadaTransport): Promise<string> {
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

describe('TLS to Armada', () => {
  it.each(['', 'other.example, ,'])(
    'goes from end to end through the proxy that the environment names, with no_proxy "%s"',
    async (exceptions) => {
      process.env['no_proxy'] = exceptions;
      const transport = transportTo(`${NAME}:443`);
      expect(await call(transport)).toBe('UNIMPLEMENTED');
      expect(proxy.targets).toEqual([`${NAME}:443`]);
      expect(transport.proxy?.description).toBe(`${process.env['https_proxy']}, set by https_proxy`);
    },
  );

  it('goes to this machine itself without a proxy, and trusts no name but the expected one', async () => {
    const transport = transportTo(`127.0.0.1:${port}`, NAME);
    expect(await call(transport)).toBe('UNIMPLEMENTED');
    expect(transport.proxy).toBeUndefined();
    expect(await call(transportTo(`127.0.0.1:${port}`))).toBe('UNAVAILABLE');
    expect(proxy.targets).toEqual([]);
  });
});
