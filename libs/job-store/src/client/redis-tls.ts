import { readFileSync } from 'node:fs';
import { createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';

/** How servers of Redis are verified, and how this client proves itself to them. Files hold PEM. */
export interface RedisTls {
  /** Certificates that those of the servers must come from, in place of the system's. */
  readonly caFile?: string;
  /** The certificate of this client, and its key: both or none. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Name in the certificates of all servers, where it is not the host that a server is reached by. */
  readonly serverName?: string;
}

/**
 * The TLS options of connections. The files are read again for each connection, so that a renewed certificate is used by the next one;
 * files that cannot be used then, as while they are being replaced, are reported, and those before them used again. Throws where they
 * cannot be used now.
 */
export function tlsOptions(
  { caFile, certFile, keyFile }: RedisTls,
  serverName: string | undefined,
  onError: (error: Error) => void,
): ConnectionOptions {
  const read = (): SecureContext =>
    createSecureContext({
      ...(caFile !== undefined && { ca: readFileSync(caFile) }),
      ...(certFile !== undefined && { cert: readFileSync(certFile) }),
      ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
    });
  let last: SecureContext;
  try {
    last = read();
  } catch (error) {
    throw new Error(`the TLS files for Redis cannot be used: ${(error as Error).message}`, { cause: error });
  }
  return {
    ...(serverName !== undefined && { servername: serverName }),
    get secureContext() {
      try {
        last = read();
      } catch (error) {
        const { message } = error as Error;
        onError(
          new Error(
            `the renewed TLS files for Redis cannot be used; still using the previous ones: ${message}`,
            {
              cause: error,
            },
          ),
        );
      }
      return last;
    },
  };
}
