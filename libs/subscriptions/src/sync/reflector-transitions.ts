import { MonotonicTime, addMs, laterOf, msBetween } from '@ajs/job-state';
import type {
  Phase,
  ReflectorEffect,
  ReflectorInput,
  ReflectorOutcome,
  ReflectorState,
  SyncReport,
} from './reflector-state.js';
import type { ReflectorTiming } from './reflector-timing.js';

/** The state that follows, and what is to be done, in this order. */
export interface Transition {
  readonly state: ReflectorState;
  readonly effects: readonly ReflectorEffect[];
}

export interface TransitionContext {
  readonly now: MonotonicTime;
  readonly timing: ReflectorTiming;
}

const NEVER = MonotonicTime(-Infinity);

export const INITIAL_STATE: ReflectorState = {
  phase: { kind: 'opening' },
  readRequestedAt: undefined,
  lastReadAt: NEVER,
  lastHeartbeatAt: NEVER,
};

type StateIn<P extends Phase['kind']> = ReflectorState & { readonly phase: Extract<Phase, { kind: P }> };
type InputOf<I extends ReflectorInput['kind']> = Extract<ReflectorInput, { kind: I }>;
type Handler<P extends Phase['kind'], I extends ReflectorInput['kind']> = (
  state: StateIn<P>,
  input: InputOf<I>,
  context: TransitionContext,
) => Transition;
type Row<P extends Phase['kind']> = { readonly [I in ReflectorInput['kind']]?: Handler<P, I> };

/** While the job set is open. */
const OPEN = {
  'read-requested': requestRead,
  'stop-requested': (state) => close(state, { kind: 'stopped' }),
  'store-failed': failStore,
  tick: (state, _, context) => heartbeat(state, context),
} as const satisfies Row<Phase['kind']>;

/**
 * What each input does in each phase. What is left out changes nothing: it comes too late, as what a closed stream delivers, or
 * matters only in other phases.
 */
const TRANSITIONS: { readonly [P in Phase['kind']]: Row<P> } = {
  opening: {
    'read-requested': requestRead,
    'stop-requested': (state) => end(state, { kind: 'stopped' }),
    'store-failed': failStore,
    // To open the job set was a look at what Redis has.
    opened: (state, _, { now }) => awaitRead({ ...state, lastHeartbeatAt: now }),
  },
  'awaiting-read': {
    ...OPEN,
    'read-admitted': (state, _, { now }) =>
      go({ ...state, lastReadAt: now }, { kind: 'reading' }, { kind: 'open-read', purpose: 'catch-up' }),
  },
  reading: {
    ...OPEN,
    'read-progressed': (state) =>
      stay(state, { kind: 'report', report: { state: 'catching-up', reason: '' } }),
    'read-completed': (state) =>
      go(
        answerRequest(state),
        { kind: 'deciding', report: { state: 'live', reason: '', syncedAt: state.lastReadAt } },
        { kind: 'decide-step' },
      ),
    'stream-failed': failStream,
  },
  deciding: {
    ...OPEN,
    'step-decided': takeStep,
  },
  watching: {
    ...OPEN,
    'read-requested': (state, _, context) => {
      const requested = { ...state, readRequestedAt: context.now };
      return state.phase.check === 'none' && isRequestDue(requested, context)
        ? check(requested)
        : stay(requested);
    },
    'read-admitted': (state, _, { now }) =>
      state.phase.check === 'awaiting'
        ? go(
            { ...state, lastReadAt: now },
            { ...state.phase, check: 'reading' },
            { kind: 'open-read', purpose: 'check' },
          )
        : stay(state),
    'read-completed': (state, { isAheadOfWatch }, { now }) =>
      go(answerRequest(state), checked(state.phase, isAheadOfWatch, now), {
        kind: 'mark-synced',
        at: state.lastReadAt,
      }),
    // Armada lets a watch go on that a new one would be refused.
    'check-failed': (state, { end, isAheadOfWatch }, { now }) =>
      go(
        state,
        checked(state.phase, isAheadOfWatch, now),
        ...(end.kind === 'denied' || end.kind === 'gone' ? [{ kind: 'fail-watch', end } as const] : []),
      ),
    'stream-failed': failStream,
    // What came between its last message and its end is read.
    'watch-revoked': (state) => awaitRead(state, { kind: 'close-streams' }),
    tick: superviseWatch,
  },
  reconciling: {
    ...OPEN,
    'read-requested': (state, _, context) => readIfDue({ ...state, readRequestedAt: context.now }, context),
    'round-ended': (state, _, context) =>
      leave(state, state.phase.report, laterOf(context.now, state.phase.nextReadAt), context),
    tick: (state, _, context) => {
      const next = readIfDue(state, context);
      return then(heartbeat(next.state, context), { kind: 'reconcile' }, ...next.effects);
    },
  },
  'backing-off': {
    ...OPEN,
    'wait-elapsed': (state) => awaitRead(state),
    tick: (state, _, context) => then(heartbeat(state, context), { kind: 'reconcile' }),
  },
  closing: {
    closed: (state) => go(state, { kind: 'ended', outcome: state.phase.outcome }),
    'stop-requested': (state) => go(state, { kind: 'closing', outcome: { kind: 'stopped' } }),
    'store-failed': (state, input) =>
      state.phase.outcome.kind === 'stopped' && input.failure.kind === 'retryable'
        ? end(state, state.phase.outcome)
        : failStore(state, input),
  },
  reopening: {
    'read-requested': requestRead,
    'stop-requested': (state) => end(state, { kind: 'stopped' }),
    'wait-elapsed': (state) => go(state, { kind: 'opening' }, { kind: 'open-job-set' }),
  },
  ended: {},
};

/** What an input does to a reflector. Pure: what is to be done about it is told, not done. */
export function transition(
  state: ReflectorState,
  input: ReflectorInput,
  context: TransitionContext,
): Transition {
  // The compiler does not see that the row fits the phase, and the handler the input.
  const row = TRANSITIONS[state.phase.kind] as Readonly<
    Partial<
      Record<
        ReflectorInput['kind'],
        (state: ReflectorState, input: ReflectorInput, context: TransitionContext) => Transition
      >
    >
  >;
  return row[input.kind]?.(state, input, context) ?? stay(state);
}

function go(state: ReflectorState, phase: Phase, ...effects: readonly ReflectorEffect[]): Transition {
  return { state: { ...state, phase }, effects };
}

function stay(state: ReflectorState, ...effects: readonly ReflectorEffect[]): Transition {
  return { state, effects };
}

function then(before: Transition, ...effects: readonly ReflectorEffect[]): Transition {
  return { state: before.state, effects: [...before.effects, ...effects] };
}

function awaitRead(state: ReflectorState, ...before: readonly ReflectorEffect[]): Transition {
  const reason = state.readRequestedAt === undefined ? 'catch-up' : 'requested';
  return go(state, { kind: 'awaiting-read' }, ...before, { kind: 'admit-read', reason });
}

function requestRead(state: ReflectorState, _: unknown, { now }: TransitionContext): Transition {
  return stay({ ...state, readRequestedAt: now });
}

/** The last read began after the poll that requested one, or another one must. */
function answerRequest(state: ReflectorState): ReflectorState {
  const { readRequestedAt, lastReadAt } = state;
  const isAnswered = readRequestedAt !== undefined && readRequestedAt <= lastReadAt;
  return isAnswered ? { ...state, readRequestedAt: undefined } : state;
}

function isRequestDue(state: ReflectorState, { now, timing }: TransitionContext): boolean {
  return (
    state.readRequestedAt !== undefined && msBetween(state.lastReadAt, now) >= timing.readRequestSpacingMs
  );
}

/** A round that runs goes on beside the read. */
function readIfDue(state: ReflectorState, context: TransitionContext): Transition {
  return isRequestDue(state, context) ? awaitRead(state) : stay(state);
}

function heartbeat(state: ReflectorState, { now, timing }: TransitionContext): Transition {
  if (msBetween(state.lastHeartbeatAt, now) < timing.heartbeatEveryMs) return stay(state);
  return stay({ ...state, lastHeartbeatAt: now }, { kind: 'write-heartbeat' });
}

/** Reads beside the watch. */
function check(state: StateIn<'watching'>): Transition {
  const reason = state.readRequestedAt === undefined ? 'check' : 'requested';
  return go(state, { ...state.phase, check: 'awaiting' }, { kind: 'admit-read', reason });
}

function checked(
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

function superviseWatch(
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
  const supervised = { ...before.state, phase: { ...phase, laggingSince } };
  const lastSignAt = laterOf(lastReadAt, watch?.lastMessageAt ?? NEVER);
  const isCheckDue =
    isRequestDue(state, context) ||
    msBetween(lastSignAt, now) >= timing.checkSilentWatchAfterMs ||
    msBetween(lastReadAt, now) >= timing.checkWatchEveryMs;
  if (phase.check !== 'none' || !isCheckDue) return { state: supervised, effects: before.effects };
  const checking = check(supervised);
  return { state: checking.state, effects: [...before.effects, ...checking.effects] };
}

/** The catch-up or the watch failed: reads again here while there is a watch and Armada may serve it, else in another assignment. */
function failStream(
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

function takeStep(
  state: StateIn<'deciding'>,
  { step, isWatched }: InputOf<'step-decided'>,
  context: TransitionContext,
): Transition {
  const { report } = state.phase;
  if (step === 'watch') {
    const told = { kind: 'report', report } as const;
    // What was granted may have been revoked by now.
    if (!isWatched) return awaitRead(state, told);
    return go(state, { kind: 'watching', check: 'none', laggingSince: undefined }, told, {
      kind: 'open-watch',
    });
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
function leave(
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

function close(
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

function end(state: ReflectorState, outcome: ReflectorOutcome): Transition {
  return go(state, { kind: 'ended', outcome }, { kind: 'abandon-job-set' });
}

function failStore(state: ReflectorState, { failure }: InputOf<'store-failed'>): Transition {
  switch (failure.kind) {
    case 'retryable':
      return go(state, { kind: 'reopening' }, { kind: 'abandon-job-set' }, { kind: 'back-off-store' });
    case 'lease-lost':
      return end(state, { kind: failure.kind });
    case 'newer-layout':
    case 'failed':
      return end(state, failure);
  }
}
