import { isIP } from 'node:net';
import { status } from '@grpc/grpc-js';
import { HttpError } from './http-error.js';

const ANY = '*';

/**
 * The names by which callers may request the HTTP API. A web page can have its own name resolve to our address (DNS rebinding) and then
 * read what anonymous callers may read, but its requests carry that name. It cannot have the name `localhost`, or an address.
 */
export class AllowedHosts {
  private readonly names: ReadonlySet<string>;

  /** @param names `QUERY_ALLOWED_HOSTS`; `*` allows every name. */
  constructor(names: readonly string[]) {
    this.names = new Set(names.map((name) => name.toLowerCase()));
  }

  /** Throws an error with status 421 where the header `Host` has a name that is not allowed. No browser leaves it out. */
  check(header: string | undefined): void {
    if (header === undefined || this.names.has(ANY)) return;
    const host = header.replace(/:\d*$/, '').toLowerCase();
    const address = host.replace(/^\[(.*)\]$/, '$1');
    if (host === 'localhost' || isIP(address) !== 0 || this.names.has(host)) return;
    throw new HttpError(
      421,
      status.PERMISSION_DENIED,
      'the name in the Host header is not allowed here; request an address, or add the name to QUERY_ALLOWED_HOSTS of this service',
    );
  }
}
