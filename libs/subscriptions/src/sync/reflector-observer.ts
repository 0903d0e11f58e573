import type { Cursor, JobSetKey } from '@ajs/job-state';
import type { StreamEnd } from './event-source.js';

/** Hears what following a job set does, for logs and metrics. Nothing here is called per event. */
export interface ReflectorObserver {
  /**
   * The catch-up or the watch failed; the job set is read again after `retryInMs`. `inARow` counts the streams that failed since the last
   * read that came to its end: 1 is news.
   */
  streamEnded(key: JobSetKey, end: StreamEnd, retryInMs: number, inARow: number): void;
  /** A message could not be read, whatever was tried: its event is lost. It comes somewhere after the message `after`. */
  messageSkipped(key: JobSetKey, after: Cursor, reason: string): void;
  /**
   * A batch is in Redis. `ageMs` is the time from its oldest event, by Armada's clock, to its write, by Redis' clock; `undefined` where no
   * message is an event, or all are of the time before the job set was followed.
   */
  batchWritten(messages: number, ageMs: number | undefined): void;
  /**
   * Armada's events of this job set are behind its `api.Jobs` by so many milliseconds, as of now; 0: they are not any more, or this replica
   * does not follow the job set any more. Called with a write of each batch or heartbeat while they are, and once when they are not any more.
   */
  eventsLag(key: JobSetKey, lagMs: number): void;
  /** Another writer wrote the job set: the owner looks whether it stands where it was, and goes on if so. */
  reloading(key: JobSetKey): void;
  /** Another owner wrote the job set: it is opened again and read from where it stands. */
  staleWriter(key: JobSetKey): void;
  /** Redis did not answer or did not take a write; it is tried again. */
  writeFailed(key: JobSetKey, error: Error): void;
}
