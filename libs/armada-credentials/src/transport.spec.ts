import { CertificateAuthority, ConnectProxy } from '@ajs/testing';
import { TlsArmada, call } from './testing/tls-armada.js';
import { withTls, type ArmadaTransport } from './transport.js';

const NAME = 'armada.example';
const before = { ...process.env };

let authority: CertificateAuthority;
let armada: TlsArmada;
let proxy: ConnectProxy;
beforeAll(async () => {
  authority = await CertificateAuthority.create();
  armada = await TlsArmada.start(authority, NAME);
});
beforeEach(async () => {
  proxy = new ConnectProxy(armada.port);
  process.env['https_proxy'] = await proxy.listen();
});
afterEach(() => {
  process.env = { ...before };
  proxy.stop();
});
afterAll(() => {
  armada.stop();
  authority.remove();
});

function transportTo(address: string, serverName = ''): ArmadaTransport {
  return withTls(address, { ca: Buffer.from(authority.cert), client: undefined, serverName });
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
    const transport = transportTo(`127.0.0.1:${armada.port}`, NAME);
    expect(await call(transport)).toBe('UNIMPLEMENTED');
    expect(transport.proxy).toBeUndefined();
    expect(await call(transportTo(`127.0.0.1:${armada.port}`))).toBe('UNAVAILABLE');
    expect(proxy.targets).toEqual([]);
  });
});
