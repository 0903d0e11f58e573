import type { IncomingHttpHeaders } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import { status } from '@grpc/grpc-js';
import type { UnaryMethod } from '@ajs/testing';

const FRAME_HEAD = 5;

/**
 * Unary calls over HTTP/2 with the minimum that gRPC requires: about half the cost of a call by grpc-js (measured), since the load
 * generator shares the machine with what it measures. Reconnects after the server's GOAWAY.
 */
export class BareClient {
  private session: ClientHttp2Session | undefined;

  /** @param target host:port */
  constructor(private readonly target: string) {}

  /** Rejects with the gRPC status, or with the connection's error. */
  call<Q, A>(method: UnaryMethod<Q, A>, request: Q, timeoutMs: number): Promise<A> {
    const message = method.requestSerialize(request);
    const framed = Buffer.alloc(FRAME_HEAD + message.length);
    framed.writeUInt32BE(message.length, 1);
    message.copy(framed, FRAME_HEAD);
    return new Promise((resolve, reject) => {
      const stream = this.connected().request({
        ':method': 'POST',
        ':path': method.path,
        'content-type': 'application/grpc',
        'grpc-timeout': `${timeoutMs}m`,
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let code: string | undefined;
      let details = '';
      const ended = ({ 'grpc-status': grpcStatus, 'grpc-message': why }: IncomingHttpHeaders): void => {
        code ??= grpcStatus?.toString();
        details = why?.toString() ?? '';
      };
      stream.on('response', ended);
      stream.on('trailers', ended);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('close', () => {
        if (code === `${status.OK}`)
          resolve(method.responseDeserialize(Buffer.concat(chunks).subarray(FRAME_HEAD)));
        else reject(new Error(code === undefined ? 'the connection was lost' : `status ${code}: ${details}`));
      });
      stream.end(framed);
    });
  }

  private connected(): ClientHttp2Session {
    const { session } = this;
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const fresh = connect(`http://${this.target}`, { settings: { enablePush: false } });
    // Its calls get the error.
    fresh.on('error', () => undefined);
    this.session = fresh;
    return fresh;
  }
}
