import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { MessageTooLongError, RpcError } from '../rpc-error.js';

/** The values of `grpc-encoding` that a compressed message may have. */
export const ENCODINGS = 'identity,deflate,gzip';

const DECOMPRESS = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/** Of an encoding that an error repeats. Characters. */
const MAX_SHOWN_LENGTH = 50;

/** Deflate makes at most this many bytes of one. */
const MAX_RATIO = 1_032;

/** The most bytes that a compressed message of `bytes` can become, where none may become more than `maxBytes`. */
export function mostDecompressed(bytes: number, maxBytes: number): number {
  return Math.min(maxBytes, bytes * MAX_RATIO);
}

/**
 * Rejects with MessageTooLongError, at the latest when `maxBytes` are there, where the message becomes longer; with UNIMPLEMENTED where the
 * encoding is unknown.
 */
export async function decompress(
  message: Buffer,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Buffer> {
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    throw new RpcError(
      status.UNIMPLEMENTED,
      `cannot decompress a message with grpc-encoding ${JSON.stringify((encoding ?? 'identity').slice(0, MAX_SHOWN_LENGTH))}; use one of ${ENCODINGS}`,
    );
  }
  try {
    return await DECOMPRESS[encoding](message, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new MessageTooLongError(
        `the message has more than ${maxBytes} bytes when decompressed; this method accepts no more`,
      );
    }
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `cannot decompress the message as ${encoding}: ${(error as Error).message}`,
    );
  }
}
