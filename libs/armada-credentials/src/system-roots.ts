import { readFileSync } from 'node:fs';

/** Where Linux distributions and macOS keep the roots they trust, as one file. The first that is there counts, as in Go. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * The roots that the system trusts, as armadactl takes them, with those of NODE_EXTRA_CA_CERTS. PEM. SSL_CERT_FILE names another
 * file. `undefined` where there is none, as in small images: then Node's own roots count, which have NODE_EXTRA_CA_CERTS already.
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
      // Another system keeps them elsewhere.
    }
  }
  return undefined;
}
