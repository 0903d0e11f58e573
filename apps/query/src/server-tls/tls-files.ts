import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Settings } from '@ajs/config';

export type TlsFileSettings = Pick<Settings, 'queryTlsCertFile' | 'queryTlsKeyFile' | 'queryTlsClientCaFile'>;

/** What stands in the files. PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The authorities whose client certificates are taken; `undefined` where none are asked for. */
  readonly clientCa: Buffer | undefined;
}

/** Throws, and names the setting and the file, where one cannot be read. Reads at once: the files are small, and near. */
export function readTlsFiles(settings: TlsFileSettings): TlsFiles {
  const { queryTlsCertFile, queryTlsKeyFile, queryTlsClientCaFile } = settings;
  return {
    cert: read('QUERY_TLS_CERT_FILE', queryTlsCertFile),
    key: read('QUERY_TLS_KEY_FILE', queryTlsKeyFile),
    clientCa:
      queryTlsClientCaFile === '' ? undefined : read('QUERY_TLS_CLIENT_CA_FILE', queryTlsClientCaFile),
  };
}

/** Throws, and never shows any of it, where the content of the files cannot be used together. */
export function secureContextOf(files: TlsFiles, settings: TlsFileSettings): SecureContextOptions {
  const { cert, key, clientCa } = files;
  if (!holdsCertificate(cert)) {
    throw new Error(
      `QUERY_TLS_CERT_FILE is "${settings.queryTlsCertFile}", which holds no certificate (PEM)`,
    );
  }
  if (clientCa !== undefined && !holdsCertificate(clientCa)) {
    throw new Error(
      `QUERY_TLS_CLIENT_CA_FILE is "${settings.queryTlsClientCaFile}", which holds no certificate (PEM)`,
    );
  }
  const context: SecureContextOptions = {
    cert,
    key,
    ...(clientCa && { ca: clientCa }),
    // Node's own default, which the command line of Node could lower.
    minVersion: 'TLSv1.2',
  };
  try {
    createSecureContext(context);
  } catch (error) {
    throw new Error(
      `QUERY_TLS_CERT_FILE "${settings.queryTlsCertFile}" and QUERY_TLS_KEY_FILE "${settings.queryTlsKeyFile}" ` +
        `cannot be used together: ${(error as Error).message}`,
      { cause: error },
    );
  }
  return context;
}

/** When the server's certificate ends. */
export function certificateValidTo({ cert }: TlsFiles): string {
  return new Date(new X509Certificate(cert).validTo).toISOString();
}

export function areEqual(a: TlsFiles, b: TlsFiles): boolean {
  return a.cert.equals(b.cert) && a.key.equals(b.key) && textOf(a.clientCa) === textOf(b.clientCa);
}

function textOf(pem: Buffer | undefined): string {
  return pem?.toString('latin1') ?? '';
}

function read(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`${setting} is "${file}", which cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function holdsCertificate(pem: Buffer): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
