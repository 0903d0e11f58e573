import { type ArmadaTime } from './times.js';
import type { Failure, Placement } from './job-event.js';
import type { JobState } from './job-states.js';
import type { MessageId } from './message-id.js';

/**
 * How a run ended while its job went on: it failed and the job is tried again, it was preempted and the job is tried again,
 * its lease came back, or its lease expired.
 */
export type RunOutcome = 'failed' | 'preempted' | 'returned' | 'expired';

/** The latest run of a job. */
export interface Run extends Placement {
  readonly leasedAt?: ArmadaTime;
  readonly pendingAt?: ArmadaTime;
  readonly runningAt?: ArmadaTime;
  readonly endedAt?: ArmadaTime;
  /** Left out while the run goes on, and where it ended with its job: then see the job's state. */
  readonly outcome?: RunOutcome;
  /** The reason of a `preempted` event of this run. Its `failed` event follows. */
  readonly preempted?: string;
}

/** All that is kept of a job. */
export interface JobRecord {
  readonly state: JobState;
  /** The last event applied. A record that is provisional has none: any event applies to it. */
  readonly lastEvent?: MessageId;
  /** How many runs were begun, as far as the stream was seen. */
  readonly runNumber: number;
  /**
   * How many runs failed, as far as the stream was seen: those that ended with a `failed` event, whether or not the job is tried again and
   * also where they had to make room, those whose lease expired, and those given back after an attempt (`run_attempted`). Not those that
   * their job was cancelled in. Each counts once, when it ends. Left out where none has.
   */
  readonly failedRuns?: number;
  readonly run?: Run;
  readonly submittedAt?: ArmadaTime;
  readonly changedAt: ArmadaTime;
  /**
   * The state, and `changedAt`, are those that Armada's `api.Jobs` reported: the stream has not shown the job so far yet. Left out where it
   * has. All else in the record is what the stream has shown, and what the report had besides.
   */
  readonly reported?: {
    /** When the run was leased that the job was reported in. Left out where it had none, or where that was not known. */
    readonly leasedAt?: ArmadaTime;
  };
  readonly namespace?: string;
  readonly externalUri?: string;
  /** The last failure, also of a run that was retried. */
  readonly failure?: Failure;
  readonly cancellation?: { readonly reason: string; readonly requestor: string };
}

/** The record with this failure alone, or with none. */
export function withFailure(record: JobRecord, failure: Failure | undefined): JobRecord {
  const { failure: _, ...rest } = record;
  return failure === undefined ? rest : { ...rest, failure };
}
