import { addMs, laterOf, msBetween, type MonotonicTime } from '@ajs/job-state';
import {
  NEVER,
  type Phase,
  type ReflectorEffect,
  type ReflectorInput,
  type ReflectorOutcome,
  type ReflectorState,
  type SyncReport,
  type Transition,
  type TransitionContext,
} from './reflector-state.js';

export type StateIn<P extends Phase['kind']> = ReflectorState & {
  readonly phase: Extract<Phase, { kind: P }>;
};
export type InputOf<I extends ReflectorInput['kind']> = Extract<ReflectorInput, { kind: I }>;

export function go(state: ReflectorState, phase: Phase, ...effects: readonly ReflectorEffect[]): Transition {
  return { state: { ...state, phase }, effects };
}

export function stay(state: ReflectorState, ...effects: readonly ReflectorEffect[]): Transition {
  return { state, effects };
}

export function then(before: Transition, ...effects: readonly ReflectorEffect[]): Transition {
  return { state: before.state, effects: [...before.effects, ...effects] };
}

export function awaitRead(state: ReflectorState, ...before: readonly ReflectorEffect[]): Transition {
  const reason = state.readRequestedAt === undefined ? 'catch-up' : 'requested';
  return go(state, { kind: 'awaiting-read' }, ...before, { kind: 'admit-read', reason });
}

export function requestRead(state: ReflectorState, _: unknown, { now }: TransitionContext): Transition {
  return stay({ ...state, readRequestedAt: now });
}

/** The last read began after the poll that requested one, or another one must. */
export function answerRequest(state: ReflectorState): ReflectorState {
  const { readRequestedAt, lastReadAt } = state;
  const isAnswered = readRequestedAt !== undefined && readRequestedAt <= lastReadAt;
  return isAnswered ? { ...state, readRequestedAt: undefined } : state;
}

export function isRequestDue(state: ReflectorState, { now, timing }: TransitionContext): boolean {
  return (
    state.readRequestedAt !== undefined && msBetween(state.lastReadAt, now) >= timing.readRequestSpacingMs
  );
}

/** A round that runs goes on beside the read. */
export function readIfDue(state: ReflectorState, context: TransitionContext): Transition {
  return isRequestDue(state, context) ? awaitRead(state) : stay(state);
}

export function heartbeat(state: ReflectorState, { now, timing }: TransitionContext): Transition {
  if (msBetween(state.lastHeartbeatAt, now) < timing.heartbeatEveryMs) return stay(state);
  return stay({ ...state, lastHeartbeatAt: now }, { kind: 'write-heartbeat' });
}

/** Reads beside the watch. */
export function check(state: StateIn<'watching'>): Transition {
  const reason = state.readRequestedAt === undefined ? 'check' : 'requested';
  return go(state, { ...state.phase, check: 'awaiting' }, { kind: 'admit-read', reason });
}

export function checked(
  phase: StateIn<'watching'>['phase'],
  isAheadOfWatch: boolean,
  now: MonotonicTime,
): StateIn<'watching'>['phase'] {
  return {
    ...phase,
    check: 'none',
    laggingSince: isAheadOfWatch ? (phase.laggingSince ?? now) : phase.laggingSince,
  };
}

/**
 * The watch goes on: Armada may take no more calls for a moment. But it lets one go on that a new one would be refused, and a proxy one that
 * Armada does not serve any more.
 */
export function failCheck(
  state: StateIn<'watching'>,
  { end, isAheadOfWatch }: InputOf<'check-failed'>,
  { now, timing }: TransitionContext,
): Transition {
  const unprovenSince = state.phase.unprovenSince ?? state.lastReadAt;
  const isRefused = end.kind === 'denied' || end.kind === 'gone';
  const isOver = isRefused || msBetween(unprovenSince, now) >= timing.reopenUnprovenWatchAfterMs;
  const phase = { ...checked(state.phase, isAheadOfWatch, now), unprovenSince };
  return go(state, phase, ...(isOver ? [{ kind: 'fail-watch', end } as const] : []));
}

export function superviseWatch(
  state: StateIn<'watching'>,
  { watch }: InputOf<'tick'>,
  context: TransitionContext,
): Transition {
  const { now, timing } = context;
  const { phase, lastReadAt } = state;
  const before = then(heartbeat(state, context), { kind: 'reconcile' });
  const laggingSince = watch?.isCaughtUp === true ? undefined : phase.laggingSince;
  if (laggingSince !== undefined && msBetween(laggingSince, now) >= timing.reopenLaggingWatchAfterMs) {
    const end = { kind: 'retry', reason: 'the watch did not deliver messages that a read returned' } as const;
    return then(before, { kind: 'fail-watch', end });
  }
  const lastSignAt = laterOf(lastReadAt, watch?.lastMessageAt ?? NEVER);
  const unprovenSince = lastSignAt > lastReadAt ? undefined : phase.unprovenSince;
  const supervised = { ...before.state, phase: { ...phase, laggingSince, unprovenSince } };
  const isCheckDue =
    isRequestDue(state, context) ||
    msBetween(lastSignAt, now) >= timing.checkSilentWatchAfterMs ||
    msBetween(lastReadAt, now) >= timing.checkWatchEveryMs;
  if (phase.check !== 'none' || !isCheckDue) return { state: supervised, effects: before.effects };
  const checking = check(supervised);
  return { state: checking.state, effects: [...before.effects, ...checking.effects] };
}

/** The catch-up or the watch failed: reads again here while there is a watch and Armada may serve it, else in another assignment. */
export function failStream(
  state: ReflectorState,
  { reason, verdict, isWatched }: InputOf<'stream-failed'>,
): Transition {
  // A queue that does not exist has no jobs: that is known as of the read that said so.
  const report: SyncReport = {
    state: verdict.state,
    reason,
    ...(verdict.state === 'gone' && { syncedAt: state.lastReadAt }),
  };
  const closed = { kind: 'close-streams' } as const;
  if (verdict.state === 'connecting' && isWatched) {
    const wait = { kind: 'back-off', ms: verdict.retryInMs } as const;
    return go(state, { kind: 'backing-off' }, closed, { kind: 'report', report }, wait);
  }
  return go(
    state,
    { kind: 'deciding', report },
    closed,
    // There is nothing to watch: other job sets may have the watch.
    ...(verdict.state === 'connecting' ? [] : [{ kind: 'release-watch', reason } as const]),
    { kind: 'schedule-read', afterMs: verdict.retryInMs },
  );
}

const WATCHING: Phase = {
  kind: 'watching',
  check: 'none',
  laggingSince: undefined,
  unprovenSince: undefined,
};

export function takeStep(
  state: StateIn<'deciding'>,
  { step, isWatched }: InputOf<'step-decided'>,
  context: TransitionContext,
): Transition {
  const { report } = state.phase;
  if (step === 'watch') {
    const reported = { kind: 'report', report } as const;
    // What was granted may have been revoked by now.
    if (!isWatched) return awaitRead(state, reported);
    return go(state, WATCHING, reported, { kind: 'open-watch' });
  }
  // Without the time of a read the report would claim a watch.
  if (step === 'done') {
    return close(state, { kind: 'done' }, { kind: 'report', report, nextReadAt: context.now });
  }
  const nextReadAt = addMs(context.now, step.readInMs);
  if (report.state !== 'live') return leave(state, report, nextReadAt, context);
  return go(
    state,
    { kind: 'reconciling', report, nextReadAt },
    { kind: 'report', report, nextReadAt },
    { kind: 'finish-round' },
  );
}

/** The job set is read again later; a poll that requested a read meanwhile does not wait so long. */
export function leave(
  state: ReflectorState,
  report: SyncReport,
  dueAt: MonotonicTime,
  { now, timing }: TransitionContext,
): Transition {
  const requestedFor = laterOf(now, addMs(state.lastReadAt, timing.readRequestSpacingMs));
  const nextReadAt = state.readRequestedAt !== undefined && requestedFor < dueAt ? requestedFor : dueAt;
  const outcome = { kind: 'read-later', inMs: msBetween(now, nextReadAt) } as const;
  return close(state, outcome, { kind: 'report', report, nextReadAt });
}

export function close(
  state: ReflectorState,
  outcome: ReflectorOutcome,
  ...before: readonly ReflectorEffect[]
): Transition {
  return go(
    state,
    { kind: 'closing', outcome },
    ...before,
    { kind: 'close-streams' },
    { kind: 'close-job-set' },
  );
}

export function end(state: ReflectorState, outcome: ReflectorOutcome): Transition {
  return go(state, { kind: 'ended', outcome }, { kind: 'abandon-job-set' });
}

export function failStore(state: ReflectorState, { failure }: InputOf<'store-failed'>): Transition {
  switch (failure.kind) {
    case 'retryable':
      return go(state, { kind: 'reopening' }, { kind: 'abandon-job-set' }, { kind: 'back-off-store' });
    case 'lease-lost':
      return end(state, { kind: failure.kind });
    case 'unreadable':
    case 'failed':
      return end(state, failure);
  }
}
