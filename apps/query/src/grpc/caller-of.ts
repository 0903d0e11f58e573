import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { certificateNameOf } from '../server-tls/certificate-name.js';

/** What is known of a caller from the headers of its call, and from the connection. */
export type Presented = Pick<Caller, 'key' | 'address' | 'certificateName' | 'authorization'>;

export function presentedBy(
  stream: ServerHttp2Stream,
  { authorization }: IncomingHttpHeaders,
  keyOf: Access['keyOf'],
): Presented {
  const presented = {
    address: () => addressOf(stream),
    certificateName: () => certificateNameOf(stream.session?.socket),
    // Node drops all but the first of several.
    authorization: authorization === undefined ? [] : [authorization],
  };
  return { ...presented, key: keyOf(presented) };
}

/** Asking a session for its socket goes through a proxy object, which a poll would feel. */
const addresses = new WeakMap<Http2Session, string>();

/** Empty where the connection has closed before this was asked. */
function addressOf({ session }: ServerHttp2Stream): string {
  if (session === undefined) return '';
  let address = addresses.get(session);
  if (address === undefined) {
    address = session.socket.remoteAddress ?? '';
    addresses.set(session, address);
  }
  return address;
}
