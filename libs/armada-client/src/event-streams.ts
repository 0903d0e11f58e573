import { EventService, type EventStreamMessage, type JobSetRequest } from '@ajs/contracts/api/event';
import type { EventSource, EventStream, StreamEnd, StreamListener, StreamRequest } from '@ajs/subscriptions';
import { toStreamMessage } from '@ajs/wire-mapping';
import { Metadata, connectivityState, type ClientReadableStream, type StatusObject } from '@grpc/grpc-js';
import type { ChannelPool } from './channel-pool.js';
import { classifyEnd } from './stream-end.js';

/** How long to wait for the connection. Milliseconds. */
const CONNECT_MS = 5_000;
/** A read that neither brings anything nor ends for this long is given up: its connection may be half-open. Milliseconds. */
const READ_SILENCE_MS = 10_000;

/** Counts messages that this version does not understand. */
export interface MessageCounter {
  unknownKind(): void;
  malformed(): void;
}

/** Job-set events over `api.Event/GetJobSetEvents`. Watches and reads use separate connections. */
export class ArmadaEventSource implements EventSource {
  constructor(
    private readonly watches: ChannelPool,
    private readonly reads: ChannelPool,
    private readonly counter: MessageCounter,
  ) {}

  open(request: StreamRequest, listener: StreamListener): EventStream {
    const pool = request.watch ? this.watches : this.reads;
    return new OpenStream(pool, request, listener, this.counter);
  }
}

class OpenStream implements EventStream {
  private readonly call: ClientReadableStream<EventStreamMessage>;
  private readonly release: () => void;
  private readonly connecting: NodeJS.Timeout;
  private readonly silence: NodeJS.Timeout | undefined;
  private heardAt = performance.now();
  private ended = false;

  constructor(
    pool: ChannelPool,
    { key, from, watch }: StreamRequest,
    private readonly listener: StreamListener,
    private readonly counter: MessageCounter,
  ) {
    const { client, release } = pool.acquire();
    this.release = release;
    const request: JobSetRequest = {
      queue: key.queue,
      id: key.jobSetId,
      fromMessageId: from,
      watch,
      errorIfMissing: false,
    };
    const { path, requestSerialize, responseDeserialize } = EventService.getJobSetEvents;
    this.call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      new Metadata(),
    );
    this.call.on('data', (message: EventStreamMessage) => this.take(message));
    this.call.on('status', (status: StatusObject) => {
      const end = classifyEnd(status);
      // The status arrives before what a paused stream has buffered, and the end of a read proves that everything was delivered.
      if (end.kind === 'end') this.call.once('end', () => this.end(end));
      else this.end(end);
    });
    // The status says all that the error does; without a listener the error would end the process.
    this.call.on('error', () => undefined);
    // An idle watch carries nothing, not even headers: only the connection shows whether it can be open.
    this.connecting = setTimeout(() => {
      if (client.getChannel().getConnectivityState(false) === connectivityState.READY) return;
      this.giveUp(`no connection to Armada within ${CONNECT_MS / 1000} s`);
    }, CONNECT_MS);
    if (!watch) {
      this.silence = setInterval(() => {
        if (this.call.isPaused()) this.heardAt = performance.now();
        if (performance.now() - this.heardAt < READ_SILENCE_MS) return;
        this.giveUp(`Armada sent nothing for ${READ_SILENCE_MS / 1000} s and did not end the read`);
      }, READ_SILENCE_MS / 10);
    }
  }

  pause(): void {
    this.call.pause();
  }

  resume(): void {
    if (!this.ended) this.call.resume();
  }

  cancel(): void {
    this.end({ kind: 'cancelled', reason: 'cancelled by this process' });
    this.call.cancel();
  }

  private take(wire: EventStreamMessage): void {
    if (this.ended) return;
    this.heardAt = performance.now();
    const mapped = toStreamMessage(wire);
    if (mapped.kind === 'broken') {
      this.giveUp(`Armada sent a message without a valid position in its stream: ${mapped.reason}`);
      return;
    }
    if (mapped.kind === 'unknown') this.counter.unknownKind();
    if (mapped.kind === 'malformed') this.counter.malformed();
    this.listener.message(mapped.message);
  }

  private giveUp(reason: string): void {
    this.end({ kind: 'retry', reason });
    this.call.cancel();
  }

  private end(end: StreamEnd): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.connecting);
    clearInterval(this.silence);
    this.release();
    // Flowing, the stream drops what is still buffered.
    this.call.resume();
    this.listener.end(end);
  }
}
