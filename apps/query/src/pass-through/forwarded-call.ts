import type { IncomingHttpHeaders } from 'node:http2';
import type { ChannelPool } from '@ajs/armada-client';
import { problemOfAuthorization } from '@ajs/auth';
import { msBetween, type MonotonicTime } from '@ajs/job-state';
import { monotonicNow } from '@ajs/platform';
import { status, Metadata, type ChannelInterface, type StatusObject } from '@grpc/grpc-js';
import { callerGone } from '../caller.js';
import type { CallListener, GrpcCall } from '../grpc/grpc-call.js';
import type { ReceivedMessage } from '../grpc/message-reader.js';
import type { RpcError } from '../rpc-error.js';
import { towardsArmada, towardsCaller } from './forwarded-metadata.js';
import { limitReached, type Refused } from '../load/limit-reached.js';
import type { OpenCalls } from '../load/open-calls.js';
import type { WatchPermissions } from './watch-permissions.js';
import { watchOf, type Watch } from './watches.js';

/**
 * Messages are read ahead of a slow caller up to this many bytes. Not one at a time: grpc-js drops unread messages when Armada ends a
 * stream with an error.
 */
const READ_AHEAD_BYTES = 256 * 1024;
/** Counted for each message beside its bytes, so that empty ones are bounded, too. */
const MESSAGE_OVERHEAD_BYTES = 64;

/** The text of grpc-js for a connection lost during a call. It does not name the server. */
const CONNECTION_LOST = 'Connection dropped';

/** Sees the request and the response of a unary call; the response is held back until it resolves. Never rejects. */
export type ExchangeObserver = (request: Buffer, response: Buffer) => Promise<void>;

export interface ForwardedCallOptions {
  /** Without any credential of ours. */
  readonly channels: ChannelPool;
  /** Armada's address, for texts. */
  readonly armada: string;
  readonly watches: OpenCalls;
  /** All calls but watches. */
  readonly calls: OpenCalls;
  readonly watchPermissions: WatchPermissions;
  readonly observer?: ExchangeObserver | undefined;
  readonly refused: Refused;
  /** Called once, when the call has ended, with its time from begin to end; `undefined` for a watch. */
  readonly ended: (code: status, seconds: number | undefined) => void;
}

type Upstream = ReturnType<ChannelInterface['createCall']>;
type End = Pick<StatusObject, 'code' | 'details'> & { readonly metadata?: Metadata | undefined };

/**
 * A call that is forwarded to Armada, and its answer to the caller: message bytes untouched, with metadata, half-close, deadline,
 * cancellation and status. Each side is read only as fast as the other one takes.
 */
export class ForwardedCall implements CallListener {
  private metadata: Metadata | undefined;
  private upstream: Upstream | undefined;
  private answered = false;
  private upstreamEnded = false;
  private place: { readonly leave: () => void } | undefined;
  private permissionChecks: { readonly stop: () => void } | undefined;
  private request: Buffer | undefined;
  private observing: Promise<void> | undefined;
  private readPending = false;
  private unsentBytes = 0;
  private ended = false;
  private watch: Watch | undefined;
  private readonly startedAt = performance.now();

  constructor(
    private readonly path: string,
    private readonly caller: GrpcCall,
    private readonly options: ForwardedCallOptions,
  ) {}

  start(headers: IncomingHttpHeaders): void {
    const metadata = Metadata.fromHttp2Headers(headers);
    const problem = problemOfAuthorization(metadata.get('authorization'));
    if (problem !== undefined) {
      this.end({
        code: status.UNAUTHENTICATED,
        details: `the metadata "authorization" ${problem}; the call was not forwarded to Armada`,
      });
      return;
    }
    this.metadata = metadata;
    try {
      this.caller.start(this);
    } catch (error) {
      this.onProblem(error as RpcError);
      return;
    }
    // A caller that sends no message costs Armada nothing.
    this.caller.startRead();
  }

  onMessage({ isCompressed, bytes }: ReceivedMessage): void {
    this.caller.keep(bytes.length);
    if (!isCompressed) {
      this.fromCaller(bytes);
      return;
    }
    this.caller.decompress(bytes).then(
      (message) => this.fromCaller(message),
      (error: unknown) => this.onProblem(error as RpcError),
    );
  }

  onHalfClose(): void {
    if (this.ended) return;
    if (this.upstream === undefined) this.open();
    this.upstream?.halfClose();
  }

  onProblem(error: RpcError): void {
    this.end(error);
  }

  onCancel(): void {
    if (!this.ended) this.over(callerGone(this.caller).code);
  }

  /** @param request the first message, if there is one */
  private open(request?: Buffer): void {
    const watch = watchOf(this.path, request);
    if (watch !== undefined && 'problem' in watch) {
      this.end({
        code: status.INVALID_ARGUMENT,
        details: `cannot tell whether this call watches a queue, and which: ${watch.problem}; the call was not forwarded to Armada`,
      });
      return;
    }
    this.watch = watch;
    this.place = this.admit();
    if (this.place === undefined) return;
    if (watch !== undefined) this.keepChecking(watch);
    const { client, release } = this.options.channels.acquire();
    this.upstream = client
      .getChannel()
      .createCall(this.path, epochMs(this.caller.deadline), null, null, null);
    this.upstream.start(towardsArmada(this.metadata as Metadata), {
      onReceiveMetadata: (metadata) => {
        this.answered = true;
        if (!this.ended) this.caller.sendMetadata(towardsCaller(metadata));
      },
      onReceiveMessage: (message: Buffer) => this.fromArmada(message),
      onReceiveStatus: (end) => {
        this.upstreamEnded = true;
        release();
        this.inTurn(() => this.end(this.withAddress(end)));
      },
    });
    this.readArmada();
  }

  /** `undefined` at the limit: then the call has ended. */
  private admit(): { readonly leave: () => void } | undefined {
    const open = this.watch ? this.options.watches : this.options.calls;
    const place = open.enter(this.caller.caller.key, () =>
      this.end({ code: status.UNAVAILABLE, details: 'this replica is shutting down; retry' }),
    );
    if (place !== undefined) return place;
    this.end(
      limitReached(this.watch ? 'forwarded_watches' : 'forwarded_calls', open.shares, this.options.refused),
    );
    return undefined;
  }

  private fromCaller(message: Buffer): void {
    if (this.ended) return;
    if (this.upstream === undefined) this.open(message);
    if (this.options.observer !== undefined) this.request ??= message;
    this.upstream?.sendMessageWithContext(
      {
        callback: () => {
          if (this.ended) return;
          if (this.request === undefined) this.caller.keep(0);
          this.caller.startRead();
        },
      },
      message,
    );
  }

  private keepChecking({ queue }: Watch): void {
    const [authorization] = this.metadata?.get('authorization') ?? [];
    this.permissionChecks = this.options.watchPermissions.keep(
      authorization as string | undefined,
      queue,
      (why) => this.end(why),
    );
  }

  private fromArmada(message: Buffer): void {
    this.readPending = false;
    const { observer } = this.options;
    if (observer !== undefined && this.request !== undefined && this.observing === undefined) {
      this.observing = observer(this.request, message);
    }
    const bytes = message.length + MESSAGE_OVERHEAD_BYTES;
    this.unsentBytes += bytes;
    this.inTurn(() => {
      if (this.ended) return;
      try {
        this.caller.sendMessage(message, () => {
          this.unsentBytes -= bytes;
          this.readArmada();
        });
      } catch (error) {
        this.onProblem(error as RpcError);
      }
    });
    this.readArmada();
  }

  private readArmada(): void {
    if (this.readPending || this.ended || this.unsentBytes >= READ_AHEAD_BYTES) return;
    this.readPending = true;
    this.upstream?.startRead();
  }

  /** Now, or after the observer; always in the order of the calls. */
  private inTurn(step: () => void): void {
    if (this.observing === undefined) step();
    else void this.observing.then(step);
  }

  /** Armada's status, with its address where grpc-js could not reach it. */
  private withAddress({ code, details, metadata }: StatusObject): End {
    const trailers = towardsCaller(metadata);
    const { armada, channels } = this.options;
    // A server's answer has headers at least; a status that grpc-js makes up, since no server answered, has no metadata.
    const isMadeUp = code === status.UNAVAILABLE && Object.keys(metadata.getMap()).length === 0;
    if (isMadeUp && !this.answered) {
      return {
        code,
        details: `Armada at ${armada} cannot be reached: ${details}${channels.throughProxy}`,
        metadata: trailers,
      };
    }
    if (isMadeUp && details === CONNECTION_LOST) {
      return {
        code,
        details: `the connection to Armada at ${armada} was lost${channels.throughProxy}`,
        metadata: trailers,
      };
    }
    return { code, details, metadata: trailers };
  }

  private end(end: End): void {
    if (this.ended) return;
    this.over(end.code);
    this.caller.sendStatus(end);
  }

  private over(code: status): void {
    this.ended = true;
    this.place?.leave();
    this.permissionChecks?.stop();
    if (!this.upstreamEnded)
      this.upstream?.cancelWithStatus(status.CANCELLED, 'the caller cancelled the call');
    this.options.ended(code, this.watch ? undefined : (performance.now() - this.startedAt) / 1_000);
  }
}

/** As grpc-js wants it: milliseconds since the epoch. */
function epochMs(deadline: MonotonicTime): number {
  return Date.now() + msBetween(monotonicNow(), deadline);
}
