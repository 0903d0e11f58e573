import type { AssignmentObserver } from '../assignment/assignment-observer.js';

const ignore = (): void => undefined;

/** For specs: an observer that a test takes over as far as it looks. */
export const SILENT_OBSERVER: AssignmentObserver = {
  watchStarted: ignore,
  watchEnded: ignore,
  unreadable: ignore,
  assignmentFailed: ignore,
  streamEnded: ignore,
  messageSkipped: ignore,
  batchWritten: ignore,
  eventsLag: ignore,
  reloading: ignore,
  staleWriter: ignore,
  writeFailed: ignore,
};
