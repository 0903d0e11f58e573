import type { IncomingHttpHeaders } from 'node:http2';

/** What a header takes beside its text: objects, and its place in a map. Bytes. */
const HEADER_BYTES = 256;

/** What a call takes that keeps all of its headers. Bytes. */
export function bytesOfAll(headers: IncomingHttpHeaders): number {
  return Object.entries(headers).reduce(
    (sum, [name, value]) => sum + HEADER_BYTES + name.length + String(value).length,
    0,
  );
}

/** What a call takes that keeps of its headers what each does: the credentials, and how messages are compressed. Bytes. */
export function bytesOfFew(headers: IncomingHttpHeaders): number {
  return lengthOf(headers.authorization) + lengthOf(headers['grpc-encoding']);
}

function lengthOf(value: string | string[] | undefined): number {
  return value?.length ?? 0;
}
