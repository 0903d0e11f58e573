/** Where a job set stands. */
export interface JobSetPosition {
  /** The last message read. */
  readonly cursor: Cursor;
  /** Jobs that have not ended. */
  readonly unfinished: number;
  /** How often its events come, on average. */
  readonly eventsPerMinute: number;
}

/** What comes after a read: a watch, another read after so many milliseconds, or nothing, since the job set is not polled any more. */
export type NextStep = 'watch' | 'done' | { readonly readInMs: number };

/** Why Armada is read: a poll waits for it, to begin or go on with following, or to check that a watch delivers everything. */
export type ReadReason = 'requested' | 'catch-up' | 'check';

/** What one job set may cost Armada, so that all of them together are not too much. */
export interface JobSetQuota {
  /** Whether it has a watch of the budget now. */
  readonly isWatched: boolean;
  /** Whether interest in the job set was forgotten, so that it may be deleted by now. */
  isForgotten(): Promise<boolean>;
  /** Resolves when a read may begin; at once if `signal` withdraws the read. */
  admitRead(reason: ReadReason, signal: AbortSignal): Promise<void>;
  /** What comes after a read that came to its end; `position` returns where the job set stands, now and later. */
  nextStep(position: () => JobSetPosition): Promise<NextStep>;
  /** The watch that it has, if any, is closed, and goes back to the budget. */
  releaseWatch(reason: string): void;
  /** Milliseconds until a read that is to be made after so many, or later if more are due than may be made. */
  scheduleRead(afterMs: number): number;
}
import type { Cursor } from '@ajs/job-state';
