import type { Server } from '@grpc/grpc-js';
import type { ServerOptions } from 'node:http2';

/** The part of grpc-js' server, private to it, that its HTTP/2 servers are made with. */
interface CommonOptions {
  readonly commonServerOptions: ServerOptions;
}

/**
 * Has the server refuse calls whose headers are longer, together, than `bytes`: by the rules of HTTP/2, which count 32 more for each.
 * Clients that follow them are told of the limit and do not send such calls. To be called before the server listens.
 *
 * grpc-js has no option for it: as {@link catchAll}, this reaches into it. Throws where grpc-js is not as expected.
 */
export function limitHeaders(server: Server, bytes: number): void {
  const { commonServerOptions } = server as unknown as Partial<CommonOptions>;
  if (commonServerOptions?.settings?.maxConcurrentStreams === undefined) {
    throw new Error(
      'this version of @grpc/grpc-js makes its HTTP/2 servers in another way than limit-headers.ts knows',
    );
  }
  commonServerOptions.settings.maxHeaderListSize = bytes;
}
