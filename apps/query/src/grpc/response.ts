import { constants, type OutgoingHttpHeaders } from 'node:http2';
import { status, type Metadata } from '@grpc/grpc-js';
import { ENCODINGS } from './decompress.js';

/** How a call ends. */
export interface CallEnd {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata | null | undefined;
}

/** Of a response with messages. None of ours is compressed, which needs no header. */
export const MESSAGE_HEADERS = {
  [constants.HTTP2_HEADER_STATUS]: 200,
  [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc+proto',
};
/** Of a response that has nothing but a status. Perhaps there is no message since the request is compressed as nobody here understands. */
export const STATUS_HEADERS = { ...MESSAGE_HEADERS, 'grpc-accept-encoding': ENCODINGS };

/**
 * What ends a response: printable ASCII under names in lower case. To be left as it is: answers share it. Not `Metadata`, which takes ten
 * times the room, and some answers are kept for hours.
 */
export interface OkTrailers {
  readonly 'grpc-status': status.OK;
  readonly [name: string]: string | number;
}
export const OK_TRAILERS: OkTrailers = { 'grpc-status': status.OK };

/** What ends any call. To be left as it is: it is shared. */
export function trailersOf({ code, details, metadata }: CallEnd): OutgoingHttpHeaders {
  if (code !== status.OK || details !== '') {
    return { 'grpc-status': code, 'grpc-message': percentEncoded(details), ...metadata?.toHttp2Headers() };
  }
  if (metadata === undefined || metadata === null) return OK_TRAILERS;
  return { ...OK_TRAILERS, ...metadata.toHttp2Headers() };
}

/** What gRPC puts before a message: whether it is compressed, and its length. */
export const PREFIX_BYTES = 5;

/** A message behind gRPC's prefix. */
export function framed(message: Uint8Array): Buffer {
  return filled(Buffer.allocUnsafe(PREFIX_BYTES + message.length), message);
}

/** As {@link framed}, in memory of its own: a part of Node's pool, once it is kept, would keep all of that. */
export function framedToKeep(message: Uint8Array): Buffer {
  return filled(Buffer.alloc(PREFIX_BYTES + message.length), message);
}

function filled(frame: Buffer, message: Uint8Array): Buffer {
  frame.set(message, PREFIX_BYTES);
  return framedInPlace(frame);
}

/** As {@link framed}, of a message that has room for the prefix before it: a large one is not copied. */
export function framedInPlace(frame: Buffer): Buffer {
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(frame.length - PREFIX_BYTES, 1);
  return frame;
}

/** As gRPC encodes the text of a status. Blanks, too: HTTP/2 drops a header that begins or ends with one. */
function percentEncoded(text: string): string {
  return text.replace(/[^!-$&-~]+/g, (part) =>
    Buffer.from(part).toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}
