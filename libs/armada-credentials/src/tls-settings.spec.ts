import { writeFileSync } from 'node:fs';
import { CertificateAuthority } from '@ajs/testing';
import { AccessFiles, BASIC, URL_LINE, main, problemsOf, type Env } from './testing/access-files.js';
import { TlsArmada, call as callOf } from './testing/tls-armada.js';

const access = await AccessFiles.create();
afterAll(() => access.remove());
const { accessOf, fromArmadactl, armadactl: FILE } = access;

describe('TLS to Armada', () => {
  let settings: Env;
  beforeAll(async () => {
    const { certFile, keyFile } = await access.authority.sign(['us']);
    settings = {
      ARMADA_TLS_CA_FILE: access.authority.certFile,
      ARMADA_TLS_CERT_FILE: certFile,
      ARMADA_TLS_KEY_FILE: keyFile,
      ARMADA_TLS_SERVER_NAME: 'armada.internal',
    };
  });

  it.each([
    ['localhost:50051', false],
    ['127.0.0.1:50051', false],
    ['127.9.9.9:1', false],
    ['[::1]:1', false],
    ['armada:50051', true],
    ['10.0.0.1:50051', true],
    ['localhost.example.com:443', true],
    ['127.example.com:443', true],
  ])('is used for %s in our own settings: %s', (address, tls) => {
    const { summary, transport } = accessOf({ ARMADA_URL: address });
    expect(summary.armadaTls).toBe(tls);
    expect(transport.channelCredentials._isSecure()).toBe(tls);
    expect(accessOf({ ARMADA_URL: address, ARMADA_FORCE_NO_TLS: 'true' }).summary.armadaTls).toBe(false);
  });

  it.each([
    ['localhost:50051', '', false],
    ['my-localhost.example.com:1', '', false],
    ['127.0.0.1:50051', '', true],
    ['armada:50051', 'forceNoTls: true', false],
    ['armada:50051', 'forceNoTls: false', true],
  ])('is used for %s by armadactl’s rule, %s: %s', (address, line, tls) => {
    expect(fromArmadactl(main(`armadaUrl: ${address}`, line)).summary.armadaTls).toBe(tls);
    const env = { ARMADA_FORCE_NO_TLS: 'true' };
    expect(fromArmadactl(main(`armadaUrl: ${address}`), env).summary.armadaTls).toBe(false);
  });

  it('gives a warning where it is not used and there is a credential', () => {
    const { warnings } = fromArmadactl(main(URL_LINE, 'forceNoTls: true', BASIC));
    expect(warnings).toEqual([
      `the credential of contexts.main.basicAuth (${FILE}) is sent to Armada without TLS: anyone on the network path can read it`,
    ]);
    expect(fromArmadactl(main(URL_LINE, 'forceNoTls: true')).warnings).toEqual([]);
  });

  it('is turned on by our file and server name settings, also for localhost', () => {
    const { summary, transport } = accessOf(settings);
    expect(summary.armadaTls).toBe(true);
    expect(transport.channelOptions).toMatchObject({ 'grpc.ssl_target_name_override': 'armada.internal' });
  });

  it('trusts the given authorities in place of those of the system, and presents the certificate', async () => {
    const other = await CertificateAuthority.create('another authority');
    const armada = await TlsArmada.start(access.authority, 'armada.internal', access.authority);
    const call = async (env: Env): Promise<string | undefined> => {
      const { transport } = accessOf({ ...settings, ARMADA_URL: `127.0.0.1:${armada.port}`, ...env });
      return callOf(transport);
    };
    const [ours, theirs] = [{ SSL_CERT_FILE: access.authority.certFile }, { SSL_CERT_FILE: other.certFile }];
    expect(await call(theirs)).toBe('UNIMPLEMENTED');
    expect(await call({ ...ours, ARMADA_TLS_CA_FILE: '' })).toBe('UNIMPLEMENTED');
    expect(await call({ ...theirs, ARMADA_TLS_CA_FILE: '' })).toBe('UNAVAILABLE');
    expect(await call({ ARMADA_TLS_CERT_FILE: '', ARMADA_TLS_KEY_FILE: '' })).toBe('UNAVAILABLE');
    armada.stop();
    other.remove();
  });

  it('is refused with its files if it is switched off', () => {
    expect(problemsOf(() => accessOf({ ...settings, ARMADA_FORCE_NO_TLS: 'true' }))).toContain(
      'ARMADA_TLS_CA_FILE, ARMADA_TLS_CERT_FILE, ARMADA_TLS_KEY_FILE, ARMADA_TLS_SERVER_NAME is set, but TLS to Armada is switched off',
    );
  });

  it('refuses files that are missing, invalid or do not match', async () => {
    const problems = (env: Env): string => problemsOf(() => accessOf({ ...settings, ...env }));
    expect(problems({ ARMADA_TLS_CA_FILE: '/nowhere/ca' })).toContain(
      'ARMADA_TLS_CA_FILE is "/nowhere/ca", which cannot be read',
    );
    writeFileSync(FILE, 'hidden');
    expect(problems({ ARMADA_TLS_CA_FILE: FILE })).toContain('which holds no certificate (PEM)');
    expect(problems({ ARMADA_TLS_KEY_FILE: '' })).toContain('must be set together; set both or neither');
    expect(problems({ ARMADA_TLS_CERT_FILE: '' })).toContain('must be set together; set both or neither');
    const other = await access.authority.sign(['another']);
    expect(problems({ ARMADA_TLS_KEY_FILE: other.keyFile })).toContain('cannot be used together');
  });
});
