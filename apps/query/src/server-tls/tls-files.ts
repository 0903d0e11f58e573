import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Settings } from '@ajs/config';
import { holdsCertificate } from '@ajs/platform';

export type TlsFileSettings = Pick<Settings, 'queryTlsCertFile' | 'queryTlsKeyFile' | 'queryTlsClientCaFile'>;

/** The content of the files (PEM). */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The authorities of client certificates; `undefined` where none are requested. */
  readonly clientCa: Buffer | undefined;
}

/** Throws an error that names setting and file where one cannot be read. Synchronous: the files are small and local. */
export function readTlsFiles(settings: TlsFileSettings): TlsFiles {
  const { queryTlsCertFile, queryTlsKeyFile, queryTlsClientCaFile } = settings;
  return {
    cert: read('QUERY_TLS_CERT_FILE', queryTlsCertFile),
    key: read('QUERY_TLS_KEY_FILE', queryTlsKeyFile),
    clientCa:
      queryTlsClientCaFile === '' ? undefined : read('QUERY_TLS_CLIENT_CA_FILE', queryTlsClientCaFile),
  };
}

/** Throws where the files cannot be used together. The error never contains any of their content. */
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
    // Node's default, which its command line could lower.
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

/** When the server's certificate expires. */
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
