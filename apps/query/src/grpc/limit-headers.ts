import type { Server } from '@grpc/grpc-js';
import type { ServerOptions } from 'node:http2';

/** The private part of grpc-js' server that holds the options of its HTTP/2 servers. */
interface CommonOptions {
  readonly commonServerOptions: ServerOptions;
}

/**
 * Makes the server reject calls whose headers have more than `bytes` in total, as HTTP/2 counts them: 32 more for each. Clients learn
 * the limit from the server's settings. Call it before the server listens.
 *
 * grpc-js has no option for this, so this sets a private field, as stream-handler.ts does. Throws where grpc-js differs from what it
 * expects.
 */
export function limitHeaders(server: Server, bytes: number): void {
  const { commonServerOptions } = server as unknown as Partial<CommonOptions>;
  if (commonServerOptions?.settings?.maxConcurrentStreams === undefined) {
    throw new Error(
      'this version of @grpc/grpc-js makes HTTP/2 servers in a way that limit-headers.ts does not know',
    );
  }
  commonServerOptions.settings.maxHeaderListSize = bytes;
}
