import { status, type StatusObject } from '@grpc/grpc-js';
import { BaseServerInterceptingCall } from '@grpc/grpc-js/build/src/server-interceptors.js';
import { INVALID_TIMEOUT, timeoutMsOf } from '@ajs/platform';

/** Node's timers take no longer delay. Milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The private part of a call of grpc-js' server that reads its `grpc-timeout`. */
interface TimeoutReader {
  deadline: number;
  handleTimeoutHeader(header: string): void;
  sendStatus(status: Pick<StatusObject, 'code' | 'details'>): void;
}

const prototype = BaseServerInterceptingCall.prototype as unknown as TimeoutReader;
const original = (prototype as Partial<TimeoutReader>).handleTimeoutHeader;

/**
 * Makes the gRPC servers of this process take every `grpc-timeout` for what it says, and reject one that is malformed. By itself grpc-js
 * keeps a deadline as 32 bits of milliseconds, so that 600 hours are over at once, and reads `-5S` as `5S`.
 *
 * A deadline beyond 2^31 ms (25 days) is given to handlers as it is, but has no timer: no connection lives that long
 * (`QUERY_MAX_CONNECTION_AGE`).
 *
 * grpc-js has no option for this, so this patches a private method. Throws where grpc-js differs from what it expects.
 */
export function keepLongDeadlines(): void {
  if (original === undefined) {
    throw new Error(
      'this version of @grpc/grpc-js reads grpc-timeout in a way that long-deadlines.ts does not know',
    );
  }
  prototype.handleTimeoutHeader = function (header) {
    const timeoutMs = timeoutMsOf(header);
    if (timeoutMs === undefined) {
      // As grpc-js does: the call is not constructed yet.
      process.nextTick(() => this.sendStatus({ code: status.INTERNAL, details: INVALID_TIMEOUT }));
    } else if (timeoutMs > MAX_TIMER_MS) this.deadline = Date.now() + timeoutMs;
    else original.call(this, header);
  };
}
