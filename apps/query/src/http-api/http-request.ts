import type { IncomingMessage } from 'node:http';
import { MAX_ID_BYTES } from '@ajs/job-state';
import { INVALID_TIMEOUT, timeoutMsOf } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { MessageAccount } from '../load/message-budget.js';
import { RpcError } from '../rpc-error.js';
import { HttpError } from './http-error.js';

/** What is in a request beside its ids: names of 1,024 bytes, a URI, and fields that are ignored. */
const OTHER_BYTES = 32 * 1024;

/** The largest body of a request. Each id may come with as many bytes again, of quotes, commas and white space. */
export function maxBodyBytes(maxJobIds: number): number {
  return OTHER_BYTES + maxJobIds * 2 * MAX_ID_BYTES;
}

/**
 * The deadline of a caller that sets none: longer than a call is held while Redis is unavailable, shorter than the 60 s after which
 * common proxies respond in place of the server. Milliseconds.
 */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** The time that the caller allows in its `Grpc-Timeout` header, such as `10S` or `500m`. Milliseconds. */
export function timeoutOf({ headers }: IncomingMessage, defaultMs = DEFAULT_TIMEOUT_MS): number {
  const text = headers['grpc-timeout'];
  if (text === undefined) return defaultMs;
  const timeoutMs = timeoutMsOf(String(text));
  if (timeoutMs === undefined) throw new RpcError(status.INVALID_ARGUMENT, INVALID_TIMEOUT);
  return timeoutMs;
}

/**
 * Reads the body, which `account` pays for as it arrives. Rejects one that is too large, or that the account may not hold, as soon as that
 * shows; what follows of it is dropped.
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  account: MessageAccount,
): Promise<string> {
  const { 'content-encoding': encoding, 'content-length': length } = request.headers;
  if (encoding !== undefined && encoding !== 'identity') {
    throw new HttpError(
      415,
      status.INVALID_ARGUMENT,
      'the request body has a Content-Encoding; send it uncompressed',
    );
  }
  if (Number(length) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // The response to a body that is rejected goes over the same connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      account.hold(bytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (!(error instanceof RpcError)) {
      throw new RpcError(status.CANCELLED, `the request body is incomplete: ${(error as Error).message}`);
    }
    request.resume();
    throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(
    413,
    status.RESOURCE_EXHAUSTED,
    `the request body exceeds ${maxBytes} bytes; request fewer ids per call`,
  );
}
