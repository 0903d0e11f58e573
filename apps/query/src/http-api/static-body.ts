import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** TLS encrypts what it is given at once, and keeps it until the caller reads. Bytes. */
const PIECE_BYTES = 64 * 1024;

/** The part of Express's request that is used here. */
export interface Revalidation extends IncomingMessage {
  /** Whether the caller has what the response's ETag stands for. */
  readonly fresh: boolean;
}

/** The body of responses that are always the same. It is in memory once, however many callers read it. */
export class StaticBody {
  private readonly pieces: readonly Buffer[];
  private readonly headers: Readonly<Record<string, string | number>>;

  constructor(content: string | Buffer, contentType: string, headers: Readonly<Record<string, string>> = {}) {
    const bytes = Buffer.from(content);
    this.pieces = Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, i) =>
      bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
    );
    this.headers = {
      ETag: `"${createHash('sha256').update(bytes).digest('base64url')}"`,
      // Kept, but compared with ours before it is used again.
      'Cache-Control': 'no-cache',
      'X-Content-Type-Options': 'nosniff',
      'Content-Type': contentType,
      'Content-Length': bytes.length,
      ...headers,
    };
  }

  /** Sends a piece when the caller has read those before it, or 304 where it has the body already. */
  async send(request: Revalidation, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(this.headers)) response.setHeader(name, value);
    if (request.fresh) {
      response.removeHeader('Content-Length');
      response.writeHead(304).end();
    } else if (request.method === 'HEAD') response.end();
    // Rejects where the caller has gone.
    else await pipeline(Readable.from(this.pieces), response).catch(() => undefined);
  }
}
