import { type JobId } from './job-id.js';
import { fold } from './fold.js';
import type { JobEvent } from './job-event.js';
import type { JobRecord } from './job-record.js';
import { type Cursor, type MessageId } from './message-id.js';

/** One message of a job set's stream. */
export interface StreamMessage {
  /** The message id verbatim, as the server wrote it: what the stream is resumed from. */
  readonly cursor: Cursor;
  readonly id: MessageId;
  /** What it says of a job's state; left out where it says nothing. */
  readonly event?: JobEvent;
}

/**
 * Folds messages, in their order, over the records known before. Returns the records that changed, and nothing else;
 * `known` is not touched. Cutting a stream into batches anywhere gives the same records.
 */
export function foldBatch(
  known: ReadonlyMap<JobId, JobRecord>,
  messages: readonly StreamMessage[],
): Map<JobId, JobRecord> {
  const changed = new Map<JobId, JobRecord>();
  for (const { event, id } of messages) {
    if (event === undefined) continue;
    const before = changed.get(event.jobId) ?? known.get(event.jobId);
    const after = fold(before, event, id);
    if (after !== before) changed.set(event.jobId, after);
  }
  return changed;
}
