import type { IncomingMessage } from 'node:http';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import { HttpError } from './http-error.js';

/** No request of ours is near this size. Bytes. */
export const LARGEST_BODY_BYTES = 1024 * 1024;

/**
 * How long a caller waits that does not say so: longer than a call is held while Redis is away, shorter than the 60 s after
 * which the usual proxies give up with an answer of their own. Milliseconds.
 */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** Milliseconds a unit, as gRPC has them. */
const TIMEOUT_UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** How long the caller waits, by its `Grpc-Timeout` header: `10S`, `500m`. Milliseconds. */
export function timeoutOf({ headers }: IncomingMessage): number {
  const text = headers['grpc-timeout'];
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(text)) ?? [];
  const unitMs = TIMEOUT_UNITS[unit ?? ''];
  if (digits === undefined || unitMs === undefined) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'the Grpc-Timeout header is not up to 8 digits and one of H, M, S, m, u, n, such as 10S or 500m',
    );
  }
  return Number(digits) * unitMs;
}

/** Reads the body to its end, so that the answer reaches who sends too much, but keeps no more of it than is allowed. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes <= LARGEST_BODY_BYTES) chunks.push(chunk);
    }
  } catch (error) {
    throw new RpcError(status.CANCELLED, `the body did not come whole: ${(error as Error).message}`);
  }
  if (bytes > LARGEST_BODY_BYTES) {
    throw new HttpError(
      413,
      status.RESOURCE_EXHAUSTED,
      `the body has more than ${LARGEST_BODY_BYTES} bytes; ask about fewer in one call`,
    );
  }
  return Buffer.concat(chunks).toString('utf8');
}
