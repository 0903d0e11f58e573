import type { FaultServiceServer } from '@ajs/contracts/fakearmada/v1/faults';
import { status, type sendUnaryData } from '@grpc/grpc-js';
import type { ArmadaState } from './armada-state.js';
import type { CallLog } from './call-log.js';
import type { EventServer } from './event-service.js';
import type { EventLog } from './event-log.js';
import { rpcError, type Faults } from './faults.js';

/** Sets faults and counts calls of a fake Armada that runs as a process of its own. */
export function faultService(
  state: ArmadaState,
  faults: Faults,
  events: EventServer,
  calls: CallLog,
): FaultServiceServer {
  const withLog = <T>(
    { queue, jobSetId }: { queue: string; jobSetId: string },
    callback: sendUnaryData<T>,
    act: (log: EventLog) => void,
    value: T,
  ): void => {
    const log = state.log(queue, jobSetId);
    if (log === undefined) {
      callback(rpcError(status.NOT_FOUND, `job set ${jobSetId} of queue ${queue} has no events`));
      return;
    }
    act(log);
    callback(null, value);
  };
  return {
    setFaults: ({ request }, callback) => {
      faults.set(request);
      callback(null, {});
    },
    endStreams: ({ request: { code } }, callback) => callback(null, { ended: events.endStreams(code) }),
    forgetEvents: ({ request }, callback) =>
      withLog(request, callback, (log) => log.forgetOldest(request.count), {}),
    duplicateEvents: ({ request }, callback) =>
      withLog(request, callback, (log) => log.duplicateNewest(request.count), {}),
    countCalls: (_call, callback) => callback(null, { calls: calls.all() }),
  };
}
