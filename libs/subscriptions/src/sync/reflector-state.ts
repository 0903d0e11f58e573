import { MonotonicTime } from '@ajs/job-state';
import type { SubscriptionReport } from '@ajs/job-store';
import type { StreamEnd } from './event-source.js';
import type { NextStep, ReadReason } from './job-set-quota.js';
import type { ReflectorTiming } from './reflector-timing.js';
import type { StoreFailure } from './store-failure.js';
import type { FailureVerdict } from './stream-failures.js';

/** What is written of the subscription, and the moment as of which the job set is synced, where there is one. */
export interface SyncReport {
  readonly state: SubscriptionReport['state'];
  readonly reason: string;
  readonly syncedAt?: MonotonicTime;
}

/**
 * How following ended: it was stopped, the job set is not polled any more, the job set is to be read again later, the lease is
 * lost, this version cannot read what is stored, or something failed that trying again does not heal.
 */
export type ReflectorOutcome =
  | { readonly kind: 'stopped' | 'done' | 'lease-lost' }
  | { readonly kind: 'read-later'; readonly inMs: number }
  | { readonly kind: 'unreadable' | 'failed'; readonly error: Error };

/** What a reflector does just now, and so what it waits for. */
export type Phase =
  /** Takes the job set up in the store, once the lease is held. */
  | { readonly kind: 'opening' }
  /** Waits until it may read from the cursor to the end. */
  | { readonly kind: 'awaiting-read' }
  | { readonly kind: 'reading' }
  /** Waits for the quota to decide what comes next, and reports then. */
  | { readonly kind: 'deciding'; readonly report: SyncReport }
  | {
      readonly kind: 'watching';
      /** The read beside the watch, which finds what the watch does not show. */
      readonly check: 'none' | 'awaiting' | 'reading';
      /** The watch lacks messages that a check returned. */
      readonly laggingSince: MonotonicTime | undefined;
      /** When the first of some checks began that have all failed, while the watch was silent: nothing shows that Armada serves it. */
      readonly unprovenSince: MonotonicTime | undefined;
    }
  /** Without a watch: lets a reconciling round end before the next read. */
  | { readonly kind: 'reconciling'; readonly report: SyncReport; readonly nextReadAt: MonotonicTime }
  /** A stream failed, and there is a watch: reads again here after a wait. */
  | { readonly kind: 'backing-off' }
  /** Writes what was read, and nothing more. */
  | { readonly kind: 'closing'; readonly outcome: ReflectorOutcome }
  /** The store refused or failed: opens the job set again after a wait. */
  | { readonly kind: 'reopening' }
  | { readonly kind: 'ended'; readonly outcome: ReflectorOutcome };

export interface ReflectorState {
  readonly phase: Phase;
  /** A poll waits for a read that begins after this moment. */
  readonly readRequestedAt: MonotonicTime | undefined;
  readonly lastReadAt: MonotonicTime;
  readonly lastHeartbeatAt: MonotonicTime;
}

export const NEVER = MonotonicTime(-Infinity);

export const INITIAL_STATE: ReflectorState = {
  phase: { kind: 'opening' },
  readRequestedAt: undefined,
  lastReadAt: NEVER,
  lastHeartbeatAt: NEVER,
};

/** Why a read is opened: to have what exists, or to see what a watch does not show. */
export type ReadPurpose = 'catch-up' | 'check';

/** How far the watch has come, as of a tick. */
export interface WatchProgress {
  readonly lastMessageAt: MonotonicTime;
  /** It has delivered the last message that is known. */
  readonly isCaughtUp: boolean;
}

/** What happens to a reflector. */
export type ReflectorInput =
  | { readonly kind: 'opened' }
  /** Interest in the job set was forgotten: opened, it would begin anew. */
  | { readonly kind: 'forgotten' }
  | { readonly kind: 'read-admitted' }
  /** A read delivered its first message. */
  | { readonly kind: 'read-progressed' }
  /** A read came to the end; it returned messages that the watch has not delivered, or not. */
  | { readonly kind: 'read-completed'; readonly isAheadOfWatch: boolean }
  /** A read beside the watch did not come to the end. */
  | { readonly kind: 'check-failed'; readonly end: StreamEnd; readonly isAheadOfWatch: boolean }
  /** The catch-up or the watch failed. */
  | {
      readonly kind: 'stream-failed';
      readonly reason: string;
      readonly verdict: FailureVerdict;
      readonly isWatched: boolean;
    }
  | { readonly kind: 'step-decided'; readonly step: NextStep; readonly isWatched: boolean }
  /** The quota takes the watch back. */
  | { readonly kind: 'watch-revoked' }
  | { readonly kind: 'read-requested' }
  | { readonly kind: 'round-ended' }
  /** The wait of `backing-off` or `reopening` is over. */
  | { readonly kind: 'wait-elapsed' }
  | { readonly kind: 'tick'; readonly watch?: WatchProgress }
  | { readonly kind: 'stop-requested' }
  /** Everything that was read is written. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'store-failed'; readonly failure: StoreFailure };

/** What a reflector does with the job set that it has open. What takes time answers with the input that is named here. */
export type SessionEffect =
  /** Answers `read-admitted`; takes the place of one that is not answered yet. */
  | { readonly kind: 'admit-read'; readonly reason: ReadReason }
  /** Answers `read-progressed`, then `read-completed`, `check-failed` or `stream-failed`. */
  | { readonly kind: 'open-read'; readonly purpose: ReadPurpose }
  /** Answers `stream-failed`. */
  | { readonly kind: 'open-watch' }
  /** Ends the watch as if Armada had ended it so; answers `stream-failed`. */
  | { readonly kind: 'fail-watch'; readonly end: StreamEnd }
  /** Closes the streams, and withdraws a read that is not admitted yet. */
  | { readonly kind: 'close-streams' }
  /** The job set is synced; has the quota decide what comes next. Answers `step-decided`. */
  | { readonly kind: 'decide-step' }
  /** Has the quota decide when to read after a failure. Answers `step-decided`. */
  | { readonly kind: 'schedule-read'; readonly afterMs: number }
  | { readonly kind: 'release-watch'; readonly reason: string }
  | { readonly kind: 'report'; readonly report: SyncReport; readonly nextReadAt?: MonotonicTime }
  | { readonly kind: 'mark-synced'; readonly at: MonotonicTime }
  | { readonly kind: 'write-heartbeat' }
  /** Begins a reconciling round if one is due. */
  | { readonly kind: 'reconcile' }
  /** Lets a round that is due, or runs, come to its end. Answers `round-ended`. */
  | { readonly kind: 'finish-round' }
  /** Writes what was read. Answers `closed`. */
  | { readonly kind: 'close-job-set' };

/** What a transition has the reflector do. */
export type ReflectorEffect =
  | SessionEffect
  /** Answers `opened`, or `forgotten`. */
  | { readonly kind: 'open-job-set' }
  /** Writes nothing more, and closes the streams. */
  | { readonly kind: 'abandon-job-set' }
  /** Answers `wait-elapsed`. */
  | { readonly kind: 'back-off'; readonly ms: number }
  /** Backs off from the store. Answers `wait-elapsed`. */
  | { readonly kind: 'back-off-store' };

/** The state that follows, and what is to be done, in this order. */
export interface Transition {
  readonly state: ReflectorState;
  readonly effects: readonly ReflectorEffect[];
}

export interface TransitionContext {
  readonly now: MonotonicTime;
  readonly timing: ReflectorTiming;
}
