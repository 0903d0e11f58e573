import type { Server } from '@grpc/grpc-js';

/** What grpc-js' server keeps of a method: here one with any number of messages either way, which are left as bytes. */
interface RawHandler {
  readonly type: 'bidi';
  readonly path: string;
  readonly func: () => void;
  readonly serialize: (bytes: Buffer) => Buffer;
  readonly deserialize: (bytes: Buffer) => Buffer;
}

/** The part of grpc-js' server, private to it, that says what answers a path. */
interface HandlerLookUp {
  _retrieveHandler(path: string): unknown;
}

const asItIs = (bytes: Buffer): Buffer => bytes;

/**
 * Has the server accept methods that nobody added to it, those that `isCaught` says, as streams of bytes in both directions,
 * which on the wire fits any method. They have no handler: an interceptor of the server is to answer them.
 *
 * grpc-js has no way to say so: this reaches into it, as limit-headers.ts does. Throws where grpc-js is not as expected.
 */
export function catchAll(server: Server, isCaught: (path: string) => boolean): void {
  const lookUp = server as unknown as Partial<HandlerLookUp>;
  const known = lookUp._retrieveHandler?.bind(server);
  if (known === undefined) {
    throw new Error(
      'this version of @grpc/grpc-js looks its handlers up in another way than catch-all.ts knows; pass-through needs it',
    );
  }
  lookUp._retrieveHandler = (path) => (isCaught(path) ? rawHandler(path) : known(path));
}

function rawHandler(path: string): RawHandler {
  return { type: 'bidi', path, func: () => undefined, serialize: asItIs, deserialize: asItIs };
}
