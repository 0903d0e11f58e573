import { addMs } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { Access } from '../access/access.js';
import type { Caller } from '../caller.js';
import { certificateNameOf } from '../server-tls/certificate-name.js';

/** The caller of a gRPC call. */
export function callerOf(call: ServerUnaryCall<unknown, unknown>, keyOf: Access['keyOf']): Caller {
  const deadline = call.getDeadline();
  const presented = {
    address: () => call.getPeer().replace(/:\d+$/, ''),
    certificateName: () => certificateNameOf(call),
    authorization: call.metadata.get('authorization'),
  };
  return {
    ...presented,
    key: keyOf(presented),
    // Infinity where the caller set none, as Airflow's operators do.
    deadline: addMs(monotonicNow(), Number(deadline) - Date.now()),
    isGone: () => call.cancelled,
  };
}
