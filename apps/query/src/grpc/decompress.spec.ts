import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { decompress, mostDecompressed } from './decompress.js';

const LIMIT = 10_000;
const CONTENT = Buffer.alloc(LIMIT, 'content');

describe.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
])('a message that is compressed with %s', (encoding, compress) => {
  it('is what it was, up to the limit', async () => {
    expect(await decompress(compress(CONTENT), encoding, LIMIT)).toEqual(CONTENT);
  });

  it('is rejected where it becomes one byte longer, or a thousand times', async () => {
    for (const bytes of [LIMIT + 1, 1_000 * LIMIT]) {
      await expect(decompress(compress(Buffer.alloc(bytes)), encoding, LIMIT)).rejects.toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
        details: 'the message has more than 10000 bytes when decompressed; this method accepts no more',
      });
    }
  });

  it('becomes no more than is paid for', () => {
    for (const bytes of [0, 1, 1_000, 10_000_000]) {
      const message = compress(Buffer.alloc(bytes), { level: 9 });
      expect(mostDecompressed(message.length, Infinity)).toBeGreaterThanOrEqual(bytes);
    }
    expect(mostDecompressed(1_000_000, LIMIT)).toBe(LIMIT);
  });

  it('is rejected where it is cut off, wherever', async () => {
    const message = compress(CONTENT);
    for (let length = 0; length < message.length; length++) {
      await expect(decompress(message.subarray(0, length), encoding, LIMIT)).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: expect.stringContaining(`cannot decompress the message as ${encoding}: `) as string,
      });
    }
  });
});

it('deflate is that with the header of zlib, as gRPC has it', async () => {
  await expect(decompress(deflateRawSync(CONTENT), 'deflate', LIMIT)).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
});

it.each([
  ['identity', undefined],
  ['identity', 'identity'],
  ['br', 'br'],
  ['x'.repeat(50), 'x'.repeat(10_000)],
])('a message that says it is compressed with %s is rejected', async (name, encoding) => {
  await expect(decompress(gzipSync(CONTENT), encoding, LIMIT)).rejects.toMatchObject({
    code: status.UNIMPLEMENTED,
    details: `cannot decompress a message with grpc-encoding "${name}"; use one of identity,deflate,gzip`,
  });
});
