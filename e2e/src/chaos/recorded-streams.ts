import type { UnaryMethod } from '@ajs/testing';
import { status, type StatusObject } from '@grpc/grpc-js';
import { callStream } from '../server-stream.js';
import type { Watch, WatchEvent } from './history.js';
import { now, type Target } from './pollers.js';

/** A call that streams. */
export interface StreamCall<Q, A> {
  readonly method: UnaryMethod<Q, A>;
  readonly request: Q;
  /** Called with each message; returns what it says, if it is to be recorded. */
  readonly take: (message: A) => WatchEvent | undefined;
  /** After so many milliseconds the stream is left. Left out: not before it is over. */
  readonly stayMs?: number;
  /** Asked after each message: whether nothing more can come, so that the stream is left a moment later. */
  readonly isOver?: () => boolean;
}

/** How long a stream is watched on although nothing more can come. Milliseconds. */
const LINGER_MS = 2_000;

/** What is known of a stream before it begins. */
export type Watching = Pick<Watch, 'method' | 'chain' | 'key' | 'jobIds'>;

/** Opens streams and records what they give. */
export class RecordedStreams {
  readonly watches: Watch[] = [];
  private readonly leaving = new Set<() => void>();

  /** Resolves to how the stream has ended by itself, to `undefined` where it was left. */
  async open<Q, A>(
    watching: Watching,
    { name, client }: Target,
    { method, request, take, stayMs, isOver }: StreamCall<Q, A>,
  ): Promise<StatusObject | undefined> {
    const events: WatchEvent[] = [];
    const requestedAt = now();
    const left = new AbortController();
    const end = await new Promise<StatusObject>((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const cancel = callStream(client, method, request, {
        message: (message) => {
          const event = take(message);
          if (event !== undefined) events.push(event);
          if (isOver?.() === true) timer ??= setTimeout(leave, LINGER_MS);
        },
        end: (status) => {
          clearTimeout(timer);
          this.leaving.delete(leave);
          resolve(status);
        },
      });
      const leave = (): void => {
        left.abort();
        cancel();
      };
      this.leaving.add(leave);
      if (stayMs !== undefined) timer = setTimeout(leave, stayMs);
    });
    const hasLeft = left.signal.aborted;
    const ended = !hasLeft && { end: { code: status[end.code], details: end.details } };
    this.watches.push({ ...watching, query: name, requestedAt, events, endedAt: now(), ...ended });
    return hasLeft ? undefined : end;
  }

  leaveAll(): void {
    for (const leave of this.leaving) leave();
  }
}
