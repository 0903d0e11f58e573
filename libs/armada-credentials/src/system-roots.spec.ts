import { CertificateAuthority } from '@ajs/testing';
import { systemRoots } from './system-roots.js';

describe('the roots of the system', () => {
  let [system, extra]: CertificateAuthority[] = [];
  beforeAll(async () => {
    system = await CertificateAuthority.create();
    extra = await CertificateAuthority.create('another authority');
  });
  afterAll(() => {
    system?.remove();
    extra?.remove();
  });

  it('are those of SSL_CERT_FILE alone, where that is set', () => {
    expect(systemRoots({ SSL_CERT_FILE: system?.certFile })?.toString()).toBe(`${system?.cert}\n`);
  });

  it('are there besides those of NODE_EXTRA_CA_CERTS', () => {
    const env = { SSL_CERT_FILE: system?.certFile, NODE_EXTRA_CA_CERTS: extra?.certFile };
    expect(systemRoots(env)?.toString()).toBe(`${system?.cert}\n${extra?.cert}`);
    const missing = { ...env, NODE_EXTRA_CA_CERTS: '/not/there' };
    expect(systemRoots(missing)?.toString()).toBe(`${system?.cert}\n`);
  });

  it('are not known where their file is not there', () => {
    expect(systemRoots({ SSL_CERT_FILE: '/not/there' })).toBeUndefined();
  });
});
