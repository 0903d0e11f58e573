import { MonotonicTime } from '@ajs/job-state';
import type { Phase, ReflectorEffect, ReflectorInput, ReflectorState } from './reflector-state.js';
import { REFLECTOR_TIMING, type ReflectorTiming } from './reflector-timing.js';
import { transition } from './reflector-transitions.js';

const at = MonotonicTime;
const LIVE = { state: 'live', reason: '', syncedAt: at(99_500) } as const;
const DENIED = { state: 'denied', reason: 'no' } as const;
const ERROR = new Error('a defect');

/** Now it is 100 s; the last read began half a second ago, and nothing is due. */
const STATE: Omit<ReflectorState, 'phase'> = {
  readRequestedAt: undefined,
  lastReadAt: at(99_500),
  lastHeartbeatAt: at(99_900),
};
const WATCHING = {
  kind: 'watching',
  check: 'none',
  laggingSince: undefined,
  unprovenSince: undefined,
} as const;
const SILENT = { lastMessageAt: at(0), isCaughtUp: true };

type Named<T> = Readonly<Record<string, T>>;

/** Every phase, in each of the variants that matter. */
const PHASES: { readonly [P in Phase['kind']]: Named<Extract<Phase, { kind: P }>> } = {
  opening: { opening: { kind: 'opening' } },
  'awaiting-read': { 'awaiting-read': { kind: 'awaiting-read' } },
  reading: { reading: { kind: 'reading' } },
  deciding: {
    'deciding after a read': { kind: 'deciding', report: LIVE },
    'deciding after a failure': { kind: 'deciding', report: DENIED },
  },
  watching: {
    watching: WATCHING,
    'watching, check awaited': { ...WATCHING, check: 'awaiting' },
    'watching, check reading': { ...WATCHING, check: 'reading' },
    'watching, checks failed': { ...WATCHING, check: 'reading', unprovenSince: at(70_000) },
  },
  reconciling: { reconciling: { kind: 'reconciling', report: LIVE, nextReadAt: at(130_000) } },
  'backing-off': { 'backing-off': { kind: 'backing-off' } },
  closing: {
    'closing to read later': { kind: 'closing', outcome: { kind: 'read-later', inMs: 1 } },
    'closing when stopped': { kind: 'closing', outcome: { kind: 'stopped' } },
  },
  reopening: { reopening: { kind: 'reopening' } },
  ended: { ended: { kind: 'ended', outcome: { kind: 'done' } } },
};

const verdict = (state: 'connecting' | 'denied' | 'gone') => ({ state, retryInMs: 700, inARow: 1 });

/** Every input, in each of the variants that matter. */
const INPUTS = {
  opened: { opened: { kind: 'opened' } },
  forgotten: { forgotten: { kind: 'forgotten' } },
  'read-admitted': { 'read-admitted': { kind: 'read-admitted' } },
  'read-progressed': { 'read-progressed': { kind: 'read-progressed' } },
  'read-completed': { 'read-completed': { kind: 'read-completed', isAheadOfWatch: false } },
  'check-failed': {
    'check-failed, to be retried': {
      kind: 'check-failed',
      end: { kind: 'retry', reason: '' },
      isAheadOfWatch: false,
    },
    'check-failed, refused': {
      kind: 'check-failed',
      end: { kind: 'denied', reason: 'no' },
      isAheadOfWatch: false,
    },
  },
  'stream-failed': {
    'stream-failed': {
      kind: 'stream-failed',
      reason: 'bye',
      verdict: verdict('connecting'),
      isWatched: true,
    },
    'stream-failed without a watch': {
      kind: 'stream-failed',
      reason: 'bye',
      verdict: verdict('connecting'),
      isWatched: false,
    },
    'stream-failed, refused': {
      kind: 'stream-failed',
      reason: 'no',
      verdict: verdict('denied'),
      isWatched: true,
    },
  },
  'step-decided': {
    'step-decided: watch': { kind: 'step-decided', step: 'watch', isWatched: true },
    'step-decided: a watch that was revoked': { kind: 'step-decided', step: 'watch', isWatched: false },
    'step-decided: done': { kind: 'step-decided', step: 'done', isWatched: false },
    'step-decided: later': { kind: 'step-decided', step: { readInMs: 30_000 }, isWatched: false },
  },
  'watch-revoked': { 'watch-revoked': { kind: 'watch-revoked' } },
  'read-requested': { 'read-requested': { kind: 'read-requested' } },
  'round-ended': { 'round-ended': { kind: 'round-ended' } },
  'wait-elapsed': { 'wait-elapsed': { kind: 'wait-elapsed' } },
  tick: { tick: { kind: 'tick', watch: { lastMessageAt: at(99_999), isCaughtUp: true } } },
  'stop-requested': { 'stop-requested': { kind: 'stop-requested' } },
  closed: { closed: { kind: 'closed' } },
  'store-failed': {
    'store-failed: retryable': { kind: 'store-failed', failure: { kind: 'retryable' } },
    'store-failed: lease-lost': { kind: 'store-failed', failure: { kind: 'lease-lost' } },
    'store-failed: unreadable': {
      kind: 'store-failed',
      failure: { kind: 'unreadable', error: ERROR },
    },
    'store-failed: failed': { kind: 'store-failed', failure: { kind: 'failed', error: ERROR } },
  },
} as const satisfies { readonly [I in ReflectorInput['kind']]: Named<Extract<ReflectorInput, { kind: I }>> };

const STORE_FAILURES = {
  'store-failed: retryable': 'reopening: abandon-job-set, back-off-store',
  'store-failed: lease-lost': 'ended: abandon-job-set',
  'store-failed: unreadable': 'ended: abandon-job-set',
  'store-failed: failed': 'ended: abandon-job-set',
};
const OPEN = {
  ...STORE_FAILURES,
  'stop-requested': 'closing: close-streams, close-job-set',
};
const STREAM_FAILURES = {
  'stream-failed': 'backing-off: close-streams, report, back-off',
  'stream-failed without a watch': 'deciding: close-streams, schedule-read',
  'stream-failed, refused': 'deciding: close-streams, release-watch, schedule-read',
};
const WATCH = {
  ...OPEN,
  ...STREAM_FAILURES,
  'read-completed': 'watching: mark-synced',
  'check-failed, refused': 'watching: fail-watch',
  'watch-revoked': 'awaiting-read: close-streams, admit-read',
  tick: 'watching: reconcile',
};

/** The phase that follows, and what is done. Every pair that is not here stays in its phase and does nothing. */
const EXPECTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  opening: {
    ...STORE_FAILURES,
    opened: 'awaiting-read: admit-read',
    forgotten: 'ended: abandon-job-set',
    'stop-requested': 'ended: abandon-job-set',
  },
  'awaiting-read': {
    ...OPEN,
    'read-admitted': 'reading: open-read',
    'read-requested': 'awaiting-read: admit-read',
  },
  reading: {
    ...OPEN,
    ...STREAM_FAILURES,
    'read-progressed': 'reading: report',
    'read-completed': 'deciding: decide-step',
  },
  'deciding after a read': {
    ...OPEN,
    'step-decided: watch': 'watching: report, open-watch',
    'step-decided: a watch that was revoked': 'awaiting-read: report, admit-read',
    'step-decided: done': 'closing: report, close-streams, close-job-set',
    'step-decided: later': 'reconciling: report, finish-round',
  },
  'deciding after a failure': {
    ...OPEN,
    'step-decided: watch': 'watching: report, open-watch',
    'step-decided: a watch that was revoked': 'awaiting-read: report, admit-read',
    'step-decided: done': 'closing: report, close-streams, close-job-set',
    'step-decided: later': 'closing: report, close-streams, close-job-set',
  },
  watching: WATCH,
  'watching, check awaited': {
    ...WATCH,
    'read-admitted': 'watching: open-read',
    'read-requested': 'watching: admit-read',
  },
  'watching, check reading': WATCH,
  'watching, checks failed': { ...WATCH, 'check-failed, to be retried': 'watching: fail-watch' },
  reconciling: {
    ...OPEN,
    'round-ended': 'closing: report, close-streams, close-job-set',
    tick: 'reconciling: reconcile',
  },
  'backing-off': {
    ...OPEN,
    'wait-elapsed': 'awaiting-read: admit-read',
    tick: 'backing-off: reconcile',
  },
  'closing to read later': { ...STORE_FAILURES, closed: 'ended: ' },
  'closing when stopped': {
    ...STORE_FAILURES,
    'store-failed: retryable': 'ended: abandon-job-set',
    closed: 'ended: ',
  },
  reopening: { 'stop-requested': 'ended: abandon-job-set', 'wait-elapsed': 'opening: open-job-set' },
  ended: {},
};

function named<T>(groups: Named<Named<T>>): (readonly [name: string, T])[] {
  return Object.values(groups).flatMap((group) => Object.entries(group));
}

function step(
  phase: Phase,
  input: ReflectorInput,
  state: Partial<ReflectorState> = {},
  timing: Partial<ReflectorTiming> = {},
) {
  const context = { now: at(100_000), timing: { ...REFLECTOR_TIMING, ...timing } };
  return transition({ ...STATE, ...state, phase }, input, context);
}

const kinds = (effects: readonly ReflectorEffect[]): string => effects.map(({ kind }) => kind).join(', ');

describe('the transition of a reflector', () => {
  const pairs = named<Phase>(PHASES).flatMap(([phaseName, phase]) =>
    named<ReflectorInput>(INPUTS).map(
      ([inputName, input]) =>
        [phaseName, inputName, EXPECTED[phaseName]?.[inputName] ?? `${phase.kind}: `, phase, input] as const,
    ),
  );

  it.each(pairs)('from %s by %s is to %s', (_, __, expected, phase, input) => {
    const { state, effects } = step(phase, input);
    expect(`${state.phase.kind}: ${kinds(effects)}`).toBe(expected);
  });

  it('is expected of no phase and no input that does not exist', () => {
    expect(Object.keys(EXPECTED)).toEqual(named<Phase>(PHASES).map(([name]) => name));
    const inputs = new Set(named<ReflectorInput>(INPUTS).map(([name]) => name));
    const unknown = Object.values(EXPECTED).flatMap((row) =>
      Object.keys(row).filter((name) => !inputs.has(name)),
    );
    expect(unknown).toEqual([]);
  });
});

describe('a reflector', () => {
  it('is synced as of the beginning of a read that came to its end', () => {
    const { state } = step({ kind: 'reading' }, { kind: 'read-completed', isAheadOfWatch: false });
    expect(state.phase).toEqual({ kind: 'deciding', report: LIVE });
  });

  it('has answered a poll by a read that began after it, and by no other', () => {
    const end = { kind: 'read-completed', isAheadOfWatch: false } as const;
    const requested = (ms: number) => step({ kind: 'reading' }, end, { readRequestedAt: at(ms) }).state;
    expect(requested(99_500).readRequestedAt).toBeUndefined();
    expect(requested(99_501).readRequestedAt).toBe(at(99_501));
  });

  it('reads for a poll that requested it, and knows so before the read is admitted', () => {
    const admits = (phase: Phase, input: ReflectorInput, state?: Partial<ReflectorState>) =>
      step(phase, input, state).effects.find(({ kind }) => kind === 'admit-read');
    const requested = { readRequestedAt: at(98_000), lastReadAt: at(98_500) };
    expect(admits({ kind: 'opening' }, { kind: 'opened' })).toMatchObject({ reason: 'catch-up' });
    expect(admits({ kind: 'opening' }, { kind: 'opened' }, requested)).toMatchObject({ reason: 'requested' });
    const tick = { kind: 'tick', watch: SILENT } as const;
    expect(admits(WATCHING, tick, { lastReadAt: at(90_000) })).toMatchObject({ reason: 'check' });
    expect(admits(WATCHING, tick, requested)).toMatchObject({ reason: 'requested' });
  });

  it.each([
    ['a read', { kind: 'awaiting-read' }],
    ['a check of its watch', { ...WATCHING, check: 'awaiting' }],
  ] as const)('has %s that waits take the place of one that a poll waits for, once', (_, phase) => {
    const first = step(phase, { kind: 'read-requested' });
    expect(first.effects).toEqual([{ kind: 'admit-read', reason: 'requested' }]);
    expect(first.state).toEqual({ ...STATE, phase, readRequestedAt: at(100_000) });
    const second = step(phase, { kind: 'read-requested' }, { readRequestedAt: at(99_999) });
    expect([second.effects, second.state.readRequestedAt]).toEqual([[], at(100_000)]);
  });

  it.each([
    ['at once where the last read is long enough ago', 99_000, 'watching: admit-read'],
    ['not before the last read is long enough ago', 99_001, 'watching: '],
  ])('reads beside a watch for a poll %s', (_, lastReadAt, expected) => {
    const { state, effects } = step(WATCHING, { kind: 'read-requested' }, { lastReadAt: at(lastReadAt) });
    expect(`${state.phase.kind}: ${kinds(effects)}`).toBe(expected);
    expect(state.readRequestedAt).toBe(at(100_000));
  });

  it('does not wait for a reconciling round once a poll requests a read', () => {
    const reconciling = { kind: 'reconciling', report: LIVE, nextReadAt: at(130_000) } as const;
    const { state } = step(reconciling, { kind: 'read-requested' }, { lastReadAt: at(99_000) });
    expect(state.phase.kind).toBe('awaiting-read');
    const tooSoon = step(reconciling, { kind: 'read-requested' }).state;
    expect(tooSoon.phase.kind).toBe('reconciling');
    const later = step(reconciling, { kind: 'tick' }, { ...tooSoon, lastReadAt: at(99_000) });
    expect(later.state.phase.kind).toBe('awaiting-read');
  });

  it.each([
    ['when it should, where nothing requested a read', undefined, 30_000],
    ['as soon as reads may follow each other, where a poll requested one', at(99_900), 500],
  ])('is read again %s', (_, readRequestedAt, inMs) => {
    const reconciling = { kind: 'reconciling', report: LIVE, nextReadAt: at(130_000) } as const;
    const { state, effects } = step(reconciling, { kind: 'round-ended' }, { readRequestedAt });
    expect(state.phase).toEqual({ kind: 'closing', outcome: { kind: 'read-later', inMs } });
    expect(effects[0]).toEqual({ kind: 'report', report: LIVE, nextReadAt: at(100_000 + inMs) });
  });

  it.each([
    ['when it has been silent for long', { lastReadAt: at(89_000) }, SILENT, true],
    ['not while it delivers', { lastReadAt: at(89_000) }, { ...SILENT, lastMessageAt: at(99_000) }, false],
    [
      'now and then, however much it delivers',
      { lastReadAt: at(40_000) },
      { ...SILENT, lastMessageAt: at(99_999) },
      true,
    ],
  ])('checks a watch %s', (_, state, watch, isChecked) => {
    const checked = step(WATCHING, { kind: 'tick', watch }, state);
    expect(checked.state.phase).toMatchObject({ check: isChecked ? 'awaiting' : 'none' });
    expect(kinds(checked.effects)).toBe(isChecked ? 'reconcile, admit-read' : 'reconcile');
    const again = step({ ...WATCHING, check: 'reading' }, { kind: 'tick', watch }, state);
    expect(kinds(again.effects)).toBe('reconcile');
  });

  it('takes a watch for failed that lacks what a check returned for too long', () => {
    const end = { kind: 'read-completed', isAheadOfWatch: true } as const;
    const behind = step({ ...WATCHING, check: 'reading' }, end).state.phase;
    expect(behind).toEqual({ ...WATCHING, laggingSince: at(100_000) });
    const lagging = { ...WATCHING, laggingSince: at(95_000) };
    const tick = { kind: 'tick', watch: { lastMessageAt: at(99_999), isCaughtUp: false } } as const;
    expect(step(lagging, tick).effects.at(-1)).toMatchObject({ kind: 'fail-watch', end: { kind: 'retry' } });
    expect(kinds(step({ ...WATCHING, laggingSince: at(95_001) }, tick).effects)).toBe('reconcile');
    const caughtUp = step(lagging, { kind: 'tick', watch: { ...tick.watch, isCaughtUp: true } });
    expect(caughtUp.state.phase).toEqual(WATCHING);
    expect(step({ ...lagging, check: 'reading' }, end).state.phase).toEqual(lagging);
  });

  it('takes a silent watch for failed once its checks have failed for 30 s, and not where it brought something since', () => {
    const end = { kind: 'retry', reason: 'bye' } as const;
    const fail = (unprovenSince?: number) =>
      step(
        {
          ...WATCHING,
          check: 'reading',
          unprovenSince: unprovenSince === undefined ? undefined : at(unprovenSince),
        },
        { kind: 'check-failed', end, isAheadOfWatch: false },
      );
    // The one that failed began at 99.5 s.
    expect([fail().state.phase, fail().effects]).toEqual([{ ...WATCHING, unprovenSince: at(99_500) }, []]);
    expect([fail(70_001).state.phase, fail(70_001).effects]).toEqual([
      { ...WATCHING, unprovenSince: at(70_001) },
      [],
    ]);
    expect(fail(70_000).effects).toEqual([{ kind: 'fail-watch', end }]);
    const unproven = { ...WATCHING, unprovenSince: at(90_000) };
    const after = (lastMessageAt: number) =>
      step(unproven, { kind: 'tick', watch: { lastMessageAt: at(lastMessageAt), isCaughtUp: true } }).state;
    expect([after(99_500).phase, after(99_501).phase]).toEqual([unproven, WATCHING]);
    const completed = { kind: 'read-completed', isAheadOfWatch: false } as const;
    expect(step({ ...unproven, check: 'reading' }, completed).state.phase).toEqual(WATCHING);
  });

  it('writes a heartbeat when it is due, in every phase with an open job set', () => {
    const due = { lastHeartbeatAt: at(97_000) };
    for (const [name, phase] of named<Phase>(PHASES)) {
      const { state, effects } = step(phase, { kind: 'tick' }, due, { checkSilentWatchAfterMs: 1e9 });
      const isOpen = !['opening', 'closing', 'reopening', 'ended'].includes(phase.kind);
      expect([name, effects.some(({ kind }) => kind === 'write-heartbeat')]).toEqual([name, isOpen]);
      expect(state.lastHeartbeatAt).toBe(isOpen ? at(100_000) : due.lastHeartbeatAt);
    }
  });

  it('reports that a queue is gone, and without jobs as of the read that said so', () => {
    const gone = {
      kind: 'stream-failed',
      reason: 'no queue',
      verdict: verdict('gone'),
      isWatched: true,
    } as const;
    const { state } = step({ kind: 'reading' }, gone);
    expect(state.phase).toMatchObject({
      report: { state: 'gone', reason: 'no queue', syncedAt: STATE.lastReadAt },
    });
  });

  it('reports without the time of a next read only what is watched', () => {
    const reports = (decision: ReflectorInput): ReflectorEffect | undefined =>
      step({ kind: 'deciding', report: LIVE }, decision).effects.find(({ kind }) => kind === 'report');
    const decided = INPUTS['step-decided'];
    expect(reports(decided['step-decided: watch'])).toEqual({ kind: 'report', report: LIVE });
    expect(reports(decided['step-decided: done'])).toMatchObject({ nextReadAt: at(100_000) });
    expect(reports(decided['step-decided: later'])).toMatchObject({ nextReadAt: at(130_000) });
  });

  it.each(['unreadable', 'failed'] as const)('ends with the error that says %s', (kind) => {
    const { state } = step({ kind: 'reading' }, { kind: 'store-failed', failure: { kind, error: ERROR } });
    expect(state.phase).toEqual({ kind: 'ended', outcome: { kind, error: ERROR } });
  });

  it('has been stopped when it is stopped while it closes', () => {
    const { state } = step(
      { kind: 'closing', outcome: { kind: 'read-later', inMs: 1 } },
      { kind: 'stop-requested' },
    );
    expect(state.phase).toEqual({ kind: 'closing', outcome: { kind: 'stopped' } });
  });
});
