import type { JobSetKey } from '@ajs/job-state';
import type { StreamEnd } from './event-source.js';

/** Hears what following does, for logs and metrics. Nothing here is called per event. */
export interface ReflectorObserver {
  /** The job set is watched. Those that are read on a schedule are too many to tell of. */
  watchStarted(key: JobSetKey): void;
  /** It is not watched any more, or not followed at all. */
  watchEnded(key: JobSetKey, why: string): void;
  /**
   * A watch or a catch-up ended; the job set is followed again after `retryInMs`. `inARow` counts the streams that ended since
   * the last catch-up: 1 is news.
   */
  streamEnded(key: JobSetKey, end: StreamEnd, retryInMs: number, inARow: number): void;
  /** A batch is in Redis. */
  applied(messages: number): void;
  /** Somebody else wrote the job set: the holder looks whether it stands where it was, and goes on if so. */
  reloading(key: JobSetKey): void;
  /** Somebody else follows the job set: it is opened again and followed from where it stands. */
  staleWriter(key: JobSetKey): void;
  /** Redis did not take a batch or did not answer; it is tried again. */
  writeFailed(key: JobSetKey, error: Error): void;
}
