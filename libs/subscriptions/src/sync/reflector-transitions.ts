import { laterOf } from '@ajs/job-state';
import {
  answerRequest,
  awaitRead,
  check,
  checked,
  close,
  end,
  failCheck,
  failStore,
  failStream,
  go,
  heartbeat,
  isRequestDue,
  leave,
  readIfDue,
  requestRead,
  stay,
  superviseWatch,
  takeStep,
  then,
  type InputOf,
  type StateIn,
} from './reflector-handlers.js';
import type {
  Phase,
  ReflectorInput,
  ReflectorState,
  Transition,
  TransitionContext,
} from './reflector-state.js';

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
    forgotten: (state) => end(state, { kind: 'done' }),
    // To open the job set was a look at what Redis has.
    opened: (state, _, { now }) => awaitRead({ ...state, lastHeartbeatAt: now }),
  },
  'awaiting-read': {
    ...OPEN,
    'read-requested': (state, _, { now }) => {
      const requested = { ...state, readRequestedAt: now };
      // Until now it waits behind those that are due.
      return state.readRequestedAt === undefined ? awaitRead(requested) : stay(requested);
    },
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
      const begins = {
        none: isRequestDue(requested, context),
        // Until now it waits behind those that are due.
        awaiting: state.readRequestedAt === undefined,
        reading: false,
      };
      return begins[state.phase.check] ? check(requested) : stay(requested);
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
      go(
        answerRequest(state),
        { ...checked(state.phase, isAheadOfWatch, now), unprovenSince: undefined },
        { kind: 'mark-synced', at: state.lastReadAt },
      ),
    'check-failed': failCheck,
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

/** What an input does to a reflector: pure, since it returns what is to be done, and does nothing. */
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
