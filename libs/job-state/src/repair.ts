import { type ArmadaTime } from './times.js';
import { ended } from './fold.js';
import type { Failure } from './job-event.js';
import type { JobRecord } from './job-record.js';
import { isTerminal, type TerminalState } from './job-states.js';

/** How a job ended, as Armada's own `api.Jobs` reports it. */
export interface JobEnd {
  readonly state: TerminalState;
  /** Left out where it is not known. */
  readonly at?: ArmadaTime;
  readonly failure?: Failure;
  readonly cancellation?: JobRecord['cancellation'];
}

/**
 * Gives a job the end that its stream did not show. The very same object comes back where the job has ended already: the first
 * end wins. The last event stays: the stream has shown the job up to there.
 */
export function repair(record: JobRecord, { state, at, failure, cancellation }: JobEnd): JobRecord {
  if (isTerminal(record.state)) return record;
  return {
    ...ended(record, {}, at ?? record.changedAt),
    state,
    ...(failure !== undefined && { failure }),
    ...(cancellation !== undefined && { cancellation }),
  };
}
