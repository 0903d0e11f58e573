import type { IncomingMessage } from 'node:http';
import { INVALID_TIMEOUT, timeoutMsOf } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import { HttpError } from './http-error.js';

/** No valid request is near this size. Bytes. */
export const MAX_BODY_BYTES = 1024 * 1024;

/**
 * The deadline of a caller that sets none: longer than a call is held while Redis is unavailable, shorter than the 60 s after which
 * common proxies respond in place of the server. Milliseconds.
 */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** The time that the caller allows in its `Grpc-Timeout` header, such as `10S` or `500m`. Milliseconds. */
export function timeoutOf({ headers }: IncomingMessage): number {
  const text = headers['grpc-timeout'];
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  const timeoutMs = timeoutMsOf(String(text));
  if (timeoutMs === undefined) throw new RpcError(status.INVALID_ARGUMENT, INVALID_TIMEOUT);
  return timeoutMs;
}

/** Reads the body to its end, so that a caller that sends too much still gets its response, but keeps at most the allowed size. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    }
  } catch (error) {
    throw new RpcError(status.CANCELLED, `the request body is incomplete: ${(error as Error).message}`);
  }
  if (bytes > MAX_BODY_BYTES) {
    throw new HttpError(
      413,
      status.RESOURCE_EXHAUSTED,
      `the request body exceeds ${MAX_BODY_BYTES} bytes; request fewer ids per call`,
    );
  }
  return Buffer.concat(chunks).toString('utf8');
}
