import { X509Certificate } from 'node:crypto';

/** Whether the text (PEM) begins with a certificate that can be read. */
export function holdsCertificate(pem: Buffer): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
