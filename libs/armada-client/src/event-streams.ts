import { EventService, type JobSetRequest } from '@ajs/contracts/api/event';
import type { EventSource, EventStream, StreamEnd, StreamListener, StreamRequest } from '@ajs/subscriptions';
import { readStreamMessage } from '@ajs/wire-mapping';
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

/** Connections for event streams, apart for each kind of them. */
export interface StreamPools {
  readonly watches: ChannelPool;
  readonly reads: ChannelPool;
  /** For streams that skip what cannot be read: messages may be longer. */
  readonly longMessages: ChannelPool;
}

/** Job-set events over `api.Event/GetJobSetEvents`. */
export class ArmadaEventSource implements EventSource {
  constructor(
    private readonly pools: StreamPools,
    private readonly counter: MessageCounter,
  ) {}

  open(request: StreamRequest, listener: StreamListener): EventStream {
    const { watches, reads, longMessages } = this.pools;
    const pool = request.watch ? watches : reads;
    return new OpenStream(
      request.skipUnreadable === undefined ? pool : longMessages,
      request,
      listener,
      this.counter,
    );
  }
}

class OpenStream implements EventStream {
  private readonly call: ClientReadableStream<Buffer>;
  private readonly release: () => void;
  private readonly connecting: NodeJS.Timeout;
  private readonly silence: NodeJS.Timeout | undefined;
  private heardAt = performance.now();
  private ended = false;
  /** Until there is a message that can be read. */
  private skipUnreadable: StreamRequest['skipUnreadable'];

  constructor(
    pool: ChannelPool,
    { key, from, watch, skipUnreadable }: StreamRequest,
    private readonly listener: StreamListener,
    private readonly counter: MessageCounter,
  ) {
    const { client, release } = pool.acquire();
    this.release = release;
    this.skipUnreadable = skipUnreadable;
    const request: JobSetRequest = {
      queue: key.queue,
      id: key.jobSetId,
      fromMessageId: from,
      watch,
      errorIfMissing: false,
    };
    const { path, requestSerialize } = EventService.getJobSetEvents;
    this.call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      // Decoded here: grpc-js would end the call at a message that cannot be.
      (bytes) => bytes,
      request,
      new Metadata(),
    );
    this.call.on('data', (bytes: Buffer) => this.take(bytes));
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
      this.giveUp(`no connection to Armada within ${CONNECT_MS / 1000} s${pool.throughProxy}`);
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
    this.call.resume();
  }

  cancel(): void {
    this.end({ kind: 'cancelled', reason: 'cancelled by this process' });
    this.call.cancel();
  }

  private take(bytes: Buffer): void {
    if (this.ended) return;
    this.heardAt = performance.now();
    const mapped = readStreamMessage(bytes);
    if (mapped.kind === 'unreadable') {
      if (this.skipUnreadable !== undefined) this.skipUnreadable(mapped.reason);
      else this.giveUp(`Armada sent a message that cannot be read: ${mapped.reason}`, 'unreadable');
      return;
    }
    this.skipUnreadable = undefined;
    if (mapped.kind === 'unknown') this.counter.unknownKind();
    if (mapped.kind === 'malformed') this.counter.malformed();
    this.listener.message(mapped.message);
  }

  private giveUp(reason: string, kind: StreamEnd['kind'] = 'retry'): void {
    this.end({ kind, reason });
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
