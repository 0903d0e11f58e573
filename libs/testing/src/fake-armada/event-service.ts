import { setTimeout as sleep } from 'node:timers/promises';
import { HealthCheckResponse_ServingStatus } from '@ajs/contracts/api/health';
import { EventService, JobSetRequest, WatchRequest } from '@ajs/contracts/api/event';
import { parseMessageId } from '@ajs/job-state';
import { status, type ServerWritableStream, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ArmadaState } from './armada-state.js';
import type { EventLog } from './event-log.js';
import { UNAVAILABLE, rpcError, type Faults } from './faults.js';
import { JOB_SET_REQUEST, WATCH_REQUEST, asGogoReads } from './gogo.js';
import type { Security } from './security.js';

type Call = ServerWritableStream<unknown, Buffer>;
type EventsCall = ServerWritableStream<JobSetRequest, Buffer>;
type WatchCall = ServerWritableStream<WatchRequest, Buffer>;

const asTheyAre = (bytes: Buffer): Buffer => bytes;

/** Requests are read as Armada's decoder does. Messages are already serialized: recordings are sent byte for byte. */
export const eventService = {
  getJobSetEvents: {
    ...EventService.getJobSetEvents,
    requestDeserialize: (bytes: Buffer) => JobSetRequest.decode(asGogoReads(bytes, JOB_SET_REQUEST)),
    responseSerialize: asTheyAre,
  },
  watch: {
    ...EventService.watch,
    requestDeserialize: (bytes: Buffer) => WatchRequest.decode(asGogoReads(bytes, WATCH_REQUEST)),
    responseSerialize: asTheyAre,
  },
  health: EventService.health,
};

/** `api.Event`, with Armada's order of checks: the queue, the permission, the message id. */
export class EventServer {
  private readonly open = new Map<Call, () => void>();
  private readonly watching = new Set<Call>();

  constructor(
    private readonly state: ArmadaState,
    private readonly faults: Faults,
    private readonly security: Security,
  ) {}

  readonly implementation: UntypedServiceImplementation = {
    getJobSetEvents: (call: EventsCall) => void this.stream(call, call.request),
    watch: (call: WatchCall) => {
      const { queue, jobSetId, fromId } = call.request;
      const request = { queue, id: jobSetId, fromMessageId: fromId, watch: true, errorIfMissing: true };
      void this.stream(call, request);
    },
    health: (_call: unknown, callback: (error: object | null, value?: object) => void) => {
      if (this.faults.now.unavailable) callback(UNAVAILABLE);
      else callback(null, { status: HealthCheckResponse_ServingStatus.SERVING });
    },
  };

  /** How many watches were opened so far. */
  watchesOpened = 0;

  /** How many event streams are open now. */
  get streams(): number {
    return this.open.size;
  }

  /** How many of them are watches. */
  get watches(): number {
    return this.watching.size;
  }

  /** Ends every open stream; returns how many there were. */
  endStreams(code: status): number {
    const calls = Array.from(this.open);
    for (const [call, close] of calls) {
      close();
      if (code === status.OK) call.end();
      else
        call.emit(
          'error',
          rpcError(code, code === status.UNAVAILABLE ? UNAVAILABLE.details : 'ended on demand'),
        );
    }
    return calls.length;
  }

  private async stream(call: Call, request: JobSetRequest): Promise<void> {
    const { queue, id: jobSetId, watch, fromMessageId, errorIfMissing } = request;
    // A caller that cancels is no error of ours.
    call.on('error', () => undefined);
    const { now } = this.faults;
    const refuse = (code: status, details: string): void => {
      call.emit('error', rpcError(code, details));
    };
    if (now.unavailable) {
      refuse(UNAVAILABLE.code, UNAVAILABLE.details);
      return;
    }
    if (!this.security.hasReadQueues) {
      refuse(status.INTERNAL, '[GetJobSetEvents] queues are not read yet');
      return;
    }
    if (!this.state.queues.has(queue) || now.missingQueues.includes(queue)) {
      refuse(status.NOT_FOUND, `[GetJobSetEvents] Queue ${queue} does not exist`);
      return;
    }
    if (now.deniedQueues.includes(queue)) {
      refuse(
        status.PERMISSION_DENIED,
        `[GetJobSetEvents] error: anonymous is not authorized to watch queue ${queue}`,
      );
      return;
    }
    const refusal = this.security.refuseWatching(queue, call.metadata);
    if (refusal !== undefined) {
      refuse(refusal.code, refusal.details);
      return;
    }
    const from = fromMessageId === '' ? undefined : parseMessageId(fromMessageId);
    if (fromMessageId !== '' && from === undefined) {
      refuse(status.INVALID_ARGUMENT, `[GetJobSetEvents] message id ${fromMessageId} is not valid`);
      return;
    }
    if (errorIfMissing && !this.state.log(queue, jobSetId)?.end) {
      refuse(status.NOT_FOUND, `[GetJobSetEvents] Jobset ${jobSetId} for queue ${queue} does not exist`);
      return;
    }
    if (now.delayMs > 0) await sleep(now.delayMs);
    this.pump(call, this.state.openLog(queue, jobSetId), watch, from);
  }

  /** Sends the existing messages, no faster than they are read, and goes on with new ones if it is a watch. */
  private pump(call: Call, log: EventLog, watch: boolean, from: ReturnType<typeof parseMessageId>): void {
    let position = log.after(from);
    // A read does not include messages that come while it lasts.
    const end = watch ? Infinity : log.end;
    let full = false;
    const close = (): void => {
      this.open.delete(call);
      this.watching.delete(call);
      stopListening();
      stopWatching();
    };
    const send = (): void => {
      while (!full && !this.faults.now.hang && this.open.has(call) && position < end) {
        const found = log.at(position);
        if (found === undefined) {
          position = log.end;
          break;
        }
        position = found.next;
        full = !call.write(found.message.bytes);
      }
      if (full || this.faults.now.hang || position < end || !this.open.has(call)) return;
      close();
      call.end();
    };
    this.open.set(call, close);
    if (watch) {
      this.watchesOpened++;
      this.watching.add(call);
    }
    const stopListening = log.onAppend(send);
    const stopWatching = this.faults.onChange(send);
    call.on('drain', () => {
      full = false;
      send();
    });
    call.on('cancelled', close);
    call.on('close', close);
    send();
  }
}
