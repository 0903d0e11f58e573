import type { JobSetKey } from '@ajs/job-state';

/** The job set was written by another owner since this writer read it. */
export class StaleWriterError extends Error {
  constructor(key: JobSetKey) {
    super(`job set ${key.queue}/${key.jobSetId} was written by another owner; open it again`);
    this.name = 'StaleWriterError';
  }
}

/**
 * The job set was written by a newer version of this service, in a layout that this version does not know: a writer of this
 * version must leave it to a newer replica.
 */
export class NewerLayoutError extends Error {
  constructor(key: JobSetKey, layout: number, newestKnown: number) {
    super(
      `job set ${key.queue}/${key.jobSetId} is stored in layout ${layout} by a newer version of this service ` +
        `(this version knows layouts up to ${newestKnown}); upgrade this replica`,
    );
    this.name = 'NewerLayoutError';
  }
}

/** One job's stored record cannot be read by this version. Says nothing of its neighbours, and nothing of Redis. */
export class UnreadableRecordError extends Error {
  constructor(reason: string) {
    super(`the stored record cannot be read: ${reason}`);
    this.name = 'UnreadableRecordError';
  }
}
