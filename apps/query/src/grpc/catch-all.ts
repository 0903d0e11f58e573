import type { Server } from '@grpc/grpc-js';

/** What grpc-js' server stores for a method: here a stream of bytes in both directions. */
interface RawHandler {
  readonly type: 'bidi';
  readonly path: string;
  readonly func: () => void;
  readonly serialize: (bytes: Buffer) => Buffer;
  readonly deserialize: (bytes: Buffer) => Buffer;
}

/** The private part of grpc-js' server that finds the handler of a path. */
interface HandlerLookUp {
  _retrieveHandler(path: string): unknown;
}

const unchanged = (bytes: Buffer): Buffer => bytes;

/**
 * Makes the server accept methods that were not added to it, those for which `isCaught` holds, as streams of bytes in both directions,
 * which on the wire fits any method. They have no handler: an interceptor of the server must answer them.
 *
 * grpc-js has no option for this, so this patches a private method, as limit-headers.ts does. Throws where grpc-js differs from what it
 * expects.
 */
export function catchAll(server: Server, isCaught: (path: string) => boolean): void {
  const lookUp = server as unknown as Partial<HandlerLookUp>;
  const original = lookUp._retrieveHandler?.bind(server);
  if (original === undefined) {
    throw new Error(
      'this version of @grpc/grpc-js finds handlers in a way that catch-all.ts does not know; pass-through needs it',
    );
  }
  lookUp._retrieveHandler = (path) => (isCaught(path) ? rawHandler(path) : original(path));
}

function rawHandler(path: string): RawHandler {
  return { type: 'bidi', path, func: () => undefined, serialize: unchanged, deserialize: unchanged };
}
