import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendHttpError } from '@ajs/runtime';
import { status } from '@grpc/grpc-js';

/** What a page may send beside what it always may: `jobservice.v2` needs no more. */
const REQUEST_HEADERS = 'Authorization, Content-Type, Grpc-Timeout, If-None-Match, Last-Event-ID';
/** What a page may read beside what it always may. */
const RESPONSE_HEADERS = 'ETag';
/** How long a browser may remember the answer to a preflight request. Seconds. */
const PREFLIGHT_AGE_S = 600;

/**
 * Cross-origin resource sharing: lets web pages of the origins in `QUERY_CORS_ORIGINS` read the HTTP API from a browser. Credentials that
 * a browser has of its own (cookies, passwords, certificates) are never asked for: such a page sends an `Authorization` that it was given.
 */
export class CrossOrigin {
  private readonly origins: ReadonlySet<string>;

  /** @param origins as browsers write them; none: no page of another origin may read. */
  constructor(origins: readonly string[]) {
    this.origins = new Set(origins);
  }

  /** Lets the page that sent the request read the response, be it an error, where its origin is allowed. */
  allow({ headers }: IncomingMessage, response: ServerResponse): void {
    if (this.origins.size === 0) return;
    // A cache must not give a page the response to another.
    response.setHeader('Vary', 'Origin');
    if (headers.origin === undefined || !this.origins.has(headers.origin)) return;
    response.setHeader('Access-Control-Allow-Origin', headers.origin);
    response.setHeader('Access-Control-Expose-Headers', RESPONSE_HEADERS);
  }

  /**
   * Answers the request of a browser that asks whether a page may call. It has no credentials, and learns nothing but `methods`, which are
   * those of the path. False where the request is none, or no origin is allowed: it is not answered then.
   */
  answersPreflight(request: IncomingMessage, response: ServerResponse, methods: string): boolean {
    const { method, headers } = request;
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
    if (!isPreflight || headers.origin === undefined || this.origins.size === 0) return false;
    this.allow(request, response);
    if (!this.origins.has(headers.origin)) {
      const text = 'the origin of the page is not allowed here; add it to QUERY_CORS_ORIGINS of this service';
      sendHttpError(response, 403, status.PERMISSION_DENIED, text);
      return true;
    }
    response.writeHead(204, {
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': REQUEST_HEADERS,
      'Access-Control-Max-Age': PREFLIGHT_AGE_S,
    });
    response.end();
    return true;
  }
}
