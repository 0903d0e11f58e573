import { InterceptingCall, status, type Interceptor } from '@grpc/grpc-js';
import { mapStatus } from './map-status.js';

/** A call that has ended. */
export interface EndedCall {
  /** Service and method, as `api.Jobs/GetJobStatus`; a watch of events has a name of its own. */
  readonly method: string;
  readonly code: status;
  /** What the server or the connection reported, for people. */
  readonly details: string;
  /** From its begin to its end; `undefined` for a watch, which has no end of its own. */
  readonly seconds: number | undefined;
}

/** What a call ends with when Armada, or something on the way to it, is not there. Any other code is an answer. */
const UNREACHABLE: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.INTERNAL,
  status.UNKNOWN,
]);

/** Whether a call that ended so leaves it open whether Armada can be reached. */
export function isUnreachable(code: status): boolean {
  return UNREACHABLE.has(code);
}

export type CallObserver = (call: EndedCall) => void;

/** Reports every call of a channel that ends to an observer. */
export function observeCalls(observer: CallObserver): Interceptor {
  return (options, nextCall) => {
    const startedAt = performance.now();
    const path = options.method_definition.path.slice(1);
    let isWatch = false;
    return new InterceptingCall(nextCall(options), {
      sendMessage: (message: { readonly watch?: unknown }, next) => {
        isWatch = message.watch === true;
        next(message);
      },
      start: (metadata, listener, next) =>
        next(
          metadata,
          mapStatus(listener, (end) => {
            observer({
              method: isWatch ? `${path} (watch)` : path,
              code: end.code,
              details: end.details,
              seconds: isWatch ? undefined : (performance.now() - startedAt) / 1_000,
            });
            return end;
          }),
        ),
    });
  };
}
