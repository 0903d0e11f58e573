import type { IncomingMessage, ServerResponse } from 'node:http';
import { status } from '@grpc/grpc-js';
import { sendHttpError } from './http-errors.js';

/** Browsers and proxies together send some tens. */
const MAX_HEADERS = 200;
/** One more than allowed shows that there are too many: Node drops what is beyond without a word, be it the credentials. */
export const HEADERS_KEPT = MAX_HEADERS + 1;

/** Rejects requests with many headers, which take many times their text in memory for as long as the request does. */
export function rejectManyHeaders(
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  if (request.rawHeaders.length / 2 <= MAX_HEADERS) {
    next();
    return;
  }
  response.setHeader('Connection', 'close');
  sendHttpError(response, 431, status.RESOURCE_EXHAUSTED, `the request has more than ${MAX_HEADERS} headers`);
}
