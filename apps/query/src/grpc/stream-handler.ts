import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** The private parts of grpc-js' server that see the streams of its connections. */
interface Streams {
  _streamHandler(interceptors: unknown, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  onStreamOpened(stream: ServerHttp2Stream): void;
}

/**
 * Hands every HTTP/2 stream of the server's connections to `handle`, before grpc-js reads anything of it; grpc-js keeps the
 * connections: their keep-alive, age, idle time and end. Call it before the server listens.
 *
 * grpc-js has no option for this, so this patches a private method, as limit-headers.ts does. Throws where grpc-js differs from what it
 * expects.
 */
export function handleStreams(server: Server, handle: StreamHandler): void {
  const streams = server as unknown as Partial<Streams>;
  if (streams._streamHandler === undefined || streams.onStreamOpened === undefined) {
    throw new Error(
      'this version of @grpc/grpc-js handles streams in a way that stream-handler.ts does not know',
    );
  }
  streams._streamHandler = function (this: Streams, _, stream, headers) {
    stream.on('error', ignore);
    // A connection with open streams is not idle.
    this.onStreamOpened(stream);
    handle(stream, headers);
  };
}

/** A stream closes after an error, which is all that matters here. */
const ignore = (): void => undefined;
