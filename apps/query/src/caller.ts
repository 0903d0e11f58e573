import { msBetween, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { status } from '@grpc/grpc-js';
import type { Admitted } from './load/admission.js';
import { RpcError } from './rpc-error.js';

/** Who waits for an answer. */
export interface Caller {
  /** Tells callers apart in what they share, without a secret; as `Access.keyOf` makes it. The same during a call. */
  readonly key: string;
  /** While the call is admitted, what it holds. {@link Admission} sets it; a copy of a caller is another call, which begins without. */
  admitted?: Admitted | undefined;
  /** When the caller wants an answer at the latest; the infinite future where it did not say. */
  readonly deadline: MonotonicTime;
  /** Whether the caller has stopped waiting for the answer. */
  readonly isGone: () => boolean;
  /** Has `listener` called once the caller stops waiting, if that is before it has its answer; never if it has stopped: see {@link isGone}. */
  readonly whenGone: (listener: () => void) => void;
  /** Where the connection comes from, without a port: perhaps a proxy. */
  readonly address: () => string;
  /** All values of `authorization` that came with the call, as they came. */
  readonly authorization: readonly (string | Buffer)[];
  /** The name in the client certificate of the connection, where one was verified. */
  readonly certificateName: () => string | undefined;
}

/** An answer leaves this long before the caller's deadline. Milliseconds. */
const DEADLINE_MARGIN_MS = 100;

/** Clients end their calls at the deadline themselves: a call that is left so shortly before it, or later, is left for it. Milliseconds. */
const LEFT_FOR_DEADLINE_MS = 50;

/** How a call ends whose caller has gone: DEADLINE_EXCEEDED where its deadline has passed, CANCELLED where it has not. */
export function callerGone({ deadline }: Pick<Caller, 'deadline'>): RpcError {
  return msBetween(monotonicNow(), deadline) <= LEFT_FOR_DEADLINE_MS
    ? new RpcError(status.DEADLINE_EXCEEDED, 'the deadline of the call has passed')
    : new RpcError(status.CANCELLED, 'the caller cancelled the call');
}

/** How long the work on an answer may still take, so that it is there by the caller's deadline. Negative where it is late. Milliseconds. */
export function msUntilAnswer({ deadline }: Pick<Caller, 'deadline'>): number {
  return msBetween(monotonicNow(), deadline) - DEADLINE_MARGIN_MS;
}
