export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const CONTINUATION = 9;
const HEAD_BYTES = 9;
const END_HEADERS = 4;

/** The type of frames with the messages of a call. */
export const DATA = 0;
/** The flag of the last one. */
export const END_STREAM = 1;

/** A frame of HTTP/2, as RFC 9113 has it. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
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

/** A frame that a peer has sent. */
export interface ReceivedFrame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Takes frames from the bytes of a connection: all that are whole, and the bytes that are left. */
export function framesIn(bytes: Buffer): {
  readonly frames: readonly ReceivedFrame[];
  readonly rest: Buffer;
} {
  const frames: ReceivedFrame[] = [];
  let at = 0;
  while (bytes.length >= at + HEAD_BYTES) {
    const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
    if (bytes.length < end) break;
    const payload = bytes.subarray(at + HEAD_BYTES, end);
    frames.push({ type: bytes.readUInt8(at + 3), stream: bytes.readUInt32BE(at + 5), payload });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** What a client sends first. */
export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0, 0),
]);
