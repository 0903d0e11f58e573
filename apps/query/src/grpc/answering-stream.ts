import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.js';
import type { CallListener, GrpcCall } from './grpc-call.js';
import type { ReceivedMessage } from './message-reader.js';

/**
 * A call whose messages are answered one by one: the next is read when its caller has taken the answer to the one before. `answer` may
 * throw an RpcError, which ends the call, as does one that cannot decode its request. The call ends by itself when its caller has ended the request, unless `staysOpen`.
 */
export class AnsweringStream implements CallListener {
  constructor(
    private readonly call: GrpcCall,
    private readonly answer: (request: Buffer) => Uint8Array,
    private readonly staysOpen = false,
  ) {}

  run(): void {
    try {
      this.call.start(this);
      this.call.startRead();
    } catch (error) {
      this.onProblem(error as RpcError);
    }
  }

  onMessage(message: ReceivedMessage): void {
    this.call.keep(message.bytes.length);
    const content = message.isCompressed
      ? this.call.decompress(message.bytes)
      : Promise.resolve(message.bytes);
    content
      .then((request) => {
        this.call.keep(0);
        this.call.sendMessage(this.answer(request), () => this.call.startRead());
      })
      .catch((error: unknown) => this.onProblem(toProblem(error)));
  }

  onHalfClose(): void {
    if (!this.staysOpen) this.call.sendStatus({ code: status.OK, details: '' });
  }

  onProblem({ code, details }: RpcError): void {
    this.call.sendStatus({ code, details });
  }

  onCancel(): void {
    // There is nothing to stop.
  }
}

/** What is no RpcError was thrown by a decoder. */
function toProblem(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  return new RpcError(status.INVALID_ARGUMENT, `cannot decode the request: ${(error as Error).message}`);
}
