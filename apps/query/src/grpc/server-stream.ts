import { status, type ServiceDefinition } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';
import type { GrpcCall } from './grpc-call.js';
import type { UnaryMethod } from './unary-method.js';

/** What a caller has not taken yet, above which the stream waits for it. Bytes. */
const HIGH_WATER_BYTES = 64 * 1024;

/** Where a stream sends its responses. */
export interface Responses {
  /**
   * Sends responses, {@link framed}: what many callers are sent is made once, and shared. The promise, if there is one, resolves once the
   * caller has taken so much that more may be sent, or has gone.
   */
  send(frames: Buffer): Promise<void> | undefined;
}

/** A method of our own with one request and a stream of responses. */
export interface StreamMethod<Request = unknown> {
  readonly definition: ServiceDefinition[string];
  /** What the largest valid request needs. */
  readonly maxRequestBytes: number;
  /** As of a {@link UnaryMethod}. */
  check?(request: Buffer): void;
  /** Resolves where the stream ends with OK; rejects with whatever else it ends with. */
  stream(request: Request, caller: Caller, responses: Responses): Promise<void>;
  /** How the call ends where `error` prevents its responses, at whatever stage. */
  failed(error: unknown): RpcError;
  /** Called when the call has ended. `seconds`: since its headers came. */
  ended(code: status, seconds: number): void;
}

/** One call of such a method, as of one that answers once all responses are sent. */
export function streamCall(method: StreamMethod, call: GrpcCall): UnaryMethod<unknown, undefined> {
  return {
    definition: method.definition,
    maxRequestBytes: method.maxRequestBytes,
    check: (request) => method.check?.(request),
    answer: async (request, caller) => {
      const responses = new SentResponses(call);
      caller.whenGone(() => responses.gone());
      await method.stream(request, caller, responses);
      return { response: undefined };
    },
    failed: (error) => method.failed(error),
    answered: (outcome, seconds) =>
      method.ended(outcome instanceof RpcError ? outcome.code : status.OK, seconds),
  };
}

class SentResponses implements Responses {
  private untakenBytes = 0;
  private taken: (() => void) | undefined;

  constructor(private readonly call: GrpcCall) {}

  send(frames: Buffer): Promise<void> | undefined {
    if (this.call.isOver) return undefined;
    this.untakenBytes += frames.length;
    this.call.sendFrames(frames, () => {
      this.untakenBytes -= frames.length;
      if (this.untakenBytes <= HIGH_WATER_BYTES / 2) this.taken?.();
    });
    if (this.untakenBytes <= HIGH_WATER_BYTES) return undefined;
    return new Promise((resolve) => (this.taken = resolve));
  }

  gone(): void {
    this.taken?.();
  }
}
