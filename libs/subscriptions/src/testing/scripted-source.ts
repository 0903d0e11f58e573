import { Cursor, JobId, ArmadaTime, parseMessageId, type JobEvent, type StreamMessage } from '@ajs/job-state';
import type {
  EventSource,
  EventStream,
  StreamEnd,
  StreamListener,
  StreamRequest,
} from '../sync/event-source.js';

/** For specs: a stream that was opened, to be fed by hand. */
export interface OpenedStream {
  readonly request: StreamRequest;
  readonly listener: StreamListener;
  paused: boolean;
  ended: boolean;
}

/** For specs: a source whose streams do what a test says. */
export class ScriptedSource implements EventSource {
  readonly opened: OpenedStream[] = [];
  /** Whether reads find nothing, and end by themselves. */
  endsReads = false;

  open(request: StreamRequest, listener: StreamListener): EventStream {
    const stream: OpenedStream = { request, listener, paused: false, ended: false };
    this.opened.push(stream);
    if (this.endsReads && !request.watch) {
      queueMicrotask(() => this.end(stream, { kind: 'end', reason: '' }));
    }
    return {
      pause: () => (stream.paused = true),
      resume: () => (stream.paused = false),
      cancel: () => this.end(stream, { kind: 'cancelled', reason: '' }),
    };
  }

  /** The streams that are open now. */
  get live(): OpenedStream[] {
    return this.opened.filter(({ ended }) => !ended);
  }

  end(stream: OpenedStream, end: StreamEnd): void {
    if (stream.ended) return;
    stream.ended = true;
    stream.listener.end(end);
  }
}

/** A message whose entry was stored at `ms`. */
export function aMessage(ms: number, event?: JobEvent): StreamMessage {
  const cursor = `${ms}:0:0:1`;
  const id = parseMessageId(cursor);
  if (id === undefined) throw new Error(`${cursor} is not a message id`);
  return { cursor: Cursor(cursor), id, ...(event !== undefined && { event }) };
}

/** A message that says that the job runs. */
export function running(ms: number, jobId = JobId('job')): StreamMessage {
  return aMessage(ms, { kind: 'running', jobId, at: ArmadaTime(ms), placement: {} });
}
