import { CertificateAuthority } from '@ajs/testing';
import { holdsCertificate } from './holds-certificate.js';

describe('a text that may hold a certificate', () => {
  let authority: CertificateAuthority;
  beforeAll(async () => {
    authority = await CertificateAuthority.create();
  });
  afterAll(() => authority.remove());

  it('holds one where it can be read', () => {
    expect(holdsCertificate(Buffer.from(authority.cert))).toBe(true);
  });

  it('holds none where it is a key, something else, or cut off', () => {
    const { cert, key } = authority;
    for (const text of [key, 'no certificate', '', cert.slice(0, cert.length / 2)]) {
      expect(holdsCertificate(Buffer.from(text))).toBe(false);
    }
  });
});
