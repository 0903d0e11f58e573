import { readFileSync } from 'node:fs';

/** Where Linux distributions and macOS keep their trusted roots as one file. The first that exists counts, as in Go. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * The system's trusted roots, as armadactl uses them, and those of NODE_EXTRA_CA_CERTS. PEM. SSL_CERT_FILE names another file.
 * `undefined` where there is none, as in small images: use Node's own roots then, which include NODE_EXTRA_CA_CERTS.
 */
export function systemRoots(env: Readonly<Record<string, string | undefined>>): Buffer | undefined {
  const named = env['SSL_CERT_FILE'] || undefined;
  const system = firstOf(named === undefined ? FILES : [named]);
  if (system === undefined) return undefined;
  const extra = env['NODE_EXTRA_CA_CERTS'] || undefined;
  return Buffer.concat([system, Buffer.from('\n'), (extra && firstOf([extra])) || Buffer.alloc(0)]);
}

function firstOf(files: readonly string[]): Buffer | undefined {
  for (const file of files) {
    try {
      return readFileSync(file);
    } catch {
      // Another system has them elsewhere.
    }
  }
  return undefined;
}
