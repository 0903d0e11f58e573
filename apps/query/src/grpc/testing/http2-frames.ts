const [HEADERS, RST_STREAM, SETTINGS] = [1, 3, 4];
const END_HEADERS = 4;

/** The type of frames with the messages of a call. */
export const DATA = 0;
/** The flag of the last one. */
export const END_STREAM = 1;

/** A frame of HTTP/2, as RFC 9113 has it. */
export function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The headers of a gRPC call, each written out. */
export function headers(stream: number, path: string, more: Record<string, string> = {}): Buffer {
  const all = {
    ':method': 'POST',
    ':scheme': 'http',
    ':authority': 'x',
    ':path': path,
    'content-type': 'application/grpc',
    ...more,
  };
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const fields = Object.entries(all).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]);
  return frame(HEADERS, END_HEADERS, stream, Buffer.concat(fields));
}

export function reset(stream: number, code: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(RST_STREAM, 0, stream, payload);
}

/** What a client sends first. */
export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0, 0),
]);
