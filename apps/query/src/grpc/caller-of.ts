import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { certificateNameOf } from '../server-tls/certificate-name.js';

/** What is known of a caller from the headers of its call, and from the connection. */
export type Presented = Pick<Caller, 'key' | 'address' | 'certificateName' | 'authorization'>;

type Connection = Pick<Caller, 'address' | 'certificateName'>;

/** Nothing is known where the connection has closed before this was asked. */
const CLOSED: Connection = { address: () => '', certificateName: () => undefined };
const NO_CREDENTIALS: Caller['authorization'] = [];
/** Asking a session for its socket goes through a proxy object, which a poll would feel: it is asked once. */
const connections = new WeakMap<Http2Session, Connection>();

export function presentedBy(
  { session }: ServerHttp2Stream,
  { authorization }: IncomingHttpHeaders,
  keyOf: Access['keyOf'],
): Presented {
  const { address, certificateName } = session === undefined ? CLOSED : connectionOf(session);
  // Node drops all but the first of several.
  const credentials = authorization === undefined ? NO_CREDENTIALS : [authorization];
  const key = keyOf({ address, certificateName, authorization: credentials });
  return { key, address, certificateName, authorization: credentials };
}

function connectionOf(session: Http2Session): Connection {
  const known = connections.get(session);
  if (known !== undefined) return known;
  const { socket } = session;
  const [remote, name] = [socket.remoteAddress ?? '', certificateNameOf(socket)];
  const connection = { address: () => remote, certificateName: () => name };
  connections.set(session, connection);
  return connection;
}
