import { Cursor, JobId, toMs } from '@ajs/job-state';
import type { Batch } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { LoopProgress, monotonicNow } from '@ajs/platform';
import { eventually } from '@ajs/testing';
import { ScriptedLease } from '../testing/scripted-lease.js';
import { ScriptedQuota } from '../testing/scripted-quota.js';
import { ScriptedSource, running } from '../testing/scripted-source.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { BatchPacer } from './batch-pacer.js';
import type { Reconciler } from './reconciler.js';
import { ReflectorSession } from './reflector-session.js';
import type { ReflectorInput } from './reflector-state.js';
import { REFLECTOR_TIMING } from './reflector-timing.js';
import { StreamFailures } from './stream-failures.js';

const KEY = { queue: 'q', jobSetId: 's' };
const END = { kind: 'end', reason: '' } as const;
const BROKEN = { kind: 'retry', reason: 'UNAVAILABLE: bye' } as const;
const READ = { kind: 'open-read', purpose: 'catch-up' } as const;
const CHECK = { kind: 'open-read', purpose: 'check' } as const;

/** A quota that admits a read when a test says so. */
class SlowQuota extends ScriptedQuota {
  readonly waiting: { readonly signal: AbortSignal; readonly admit: () => void }[] = [];

  override admitRead(_reason?: unknown, signal = AbortSignal.abort()): Promise<void> {
    return new Promise((admit) => this.waiting.push({ signal, admit }));
  }
}

/** The session's promises have run as far as they can. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function begin(lease = new ScriptedLease()) {
  const store = new MemoryJobStore();
  const writer = await store.open(KEY);
  const batches: Batch[] = [];
  const write = writer.write.bind(writer);
  Object.assign(writer, { write: (batch: Batch) => (batches.push(batch), write(batch)) });
  const source = new ScriptedSource();
  const quota = new SlowQuota();
  const failures = new StreamFailures(REFLECTOR_TIMING);
  const inputs: ReflectorInput[] = [];
  const failed: unknown[] = [];
  const skipped: string[] = [];
  const rounds = { isStopped: false, unfinished: [] as number[] };
  const session = new ReflectorSession(
    writer,
    {
      key: KEY,
      source,
      lease,
      observer: { ...SILENT_OBSERVER, messageSkipped: (_, __, reason) => skipped.push(reason) },
      reconciler: {
        roundsOf: () => ({
          stop: () => (rounds.isStopped = true),
          settle: () => void rounds.unfinished.push(writer.unfinished),
        }),
      } as unknown as Reconciler,
      pacer: new BatchPacer(),
      quota,
    },
    failures,
    {
      progress: new LoopProgress(60_000),
      dispatch: (input) => inputs.push(input),
      fail: (error) => failed.push(error),
    },
  );
  const kinds = () => inputs.map(({ kind }) => kind);
  const opened = (n: number) => {
    const stream = source.opened[n];
    if (stream === undefined) throw new Error(`there are only ${source.opened.length} streams`);
    return stream;
  };
  return { session, source, quota, failures, inputs, kinds, failed, skipped, rounds, batches, opened };
}

describe('a session of a reflector', () => {
  it('withdraws a read that is not admitted yet when its streams are closed, and not the one after', async () => {
    const { session, quota, kinds } = await begin();
    session.perform({ kind: 'admit-read', reason: 'check' });
    await settled();
    session.perform({ kind: 'close-streams' });
    expect(quota.waiting[0]?.signal.aborted).toBe(true);
    session.perform({ kind: 'admit-read', reason: 'catch-up' });
    await settled();
    expect(quota.waiting.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    quota.waiting[0]?.admit();
    await settled();
    expect(kinds()).toEqual([]);
    quota.waiting[1]?.admit();
    await settled();
    expect(kinds()).toEqual(['read-admitted']);
  });

  it('waits for one read at a time: one more takes the place of the one that is not admitted yet', async () => {
    const { session, quota, kinds } = await begin();
    session.perform({ kind: 'admit-read', reason: 'check' });
    await settled();
    session.perform({ kind: 'admit-read', reason: 'requested' });
    await settled();
    expect(quota.waiting.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    for (const { admit } of quota.waiting) admit();
    await settled();
    expect(kinds()).toEqual(['read-admitted']);
  });

  it('takes no place for a read before it has the lease', async () => {
    const lease = new ScriptedLease();
    let give = (): void => undefined;
    lease.whenHeld = () => new Promise((resolve) => (give = resolve));
    const { session, quota } = await begin(lease);
    session.perform({ kind: 'admit-read', reason: 'catch-up' });
    await settled();
    expect(quota.waiting).toEqual([]);
    give();
    await settled();
    expect(quota.waiting).toHaveLength(1);
  });

  it('pauses and resumes the streams that are open, and begins those that it opens as the others are', async () => {
    const { session, source, opened } = await begin();
    session.perform(READ);
    session.perform({ kind: 'open-watch' });
    source.end(opened(0), END);
    session.pause();
    session.perform(CHECK);
    const paused = () => source.opened.map((stream) => stream.paused);
    expect(paused()).toEqual([false, true, true]);
    session.resume();
    session.perform(CHECK);
    expect(paused()).toEqual([false, false, false, false]);
    session.perform({ kind: 'close-streams' });
    session.pause();
    expect(paused()).toEqual([false, false, false, false]);
  });

  it('reports the progress of its watch while it has one, and afterwards how long it stayed open', async () => {
    const { session, failures } = await begin();
    const watchedFor: number[] = [];
    failures.watchedFor = (ms) => watchedFor.push(ms);
    session.perform({ kind: 'close-streams' });
    session.perform({ kind: 'open-watch' });
    expect(session.watchProgress).toMatchObject({ isCaughtUp: true });
    session.perform({ kind: 'close-streams' });
    session.perform({ kind: 'close-streams' });
    expect(session.watchProgress).toBeUndefined();
    expect(watchedFor).toEqual([expect.any(Number)]);
  });

  it('knows when its watch last brought something, and that it lacks only what another stream brought', async () => {
    const { session, opened } = await begin();
    const before = toMs(monotonicNow());
    session.perform({ kind: 'open-watch' });
    expect(session.watchProgress).toEqual({ lastMessageAt: -Infinity, isCaughtUp: true });
    opened(0).listener.message(running(1));
    expect(session.watchProgress?.isCaughtUp).toBe(true);
    expect(session.watchProgress?.lastMessageAt).toBeGreaterThanOrEqual(before);
    session.perform(CHECK);
    opened(1).listener.message(running(2));
    expect(session.watchProgress?.isCaughtUp).toBe(false);
  });

  it('says once of a read that it brings something', async () => {
    const { session, kinds, opened } = await begin();
    session.perform(READ);
    for (const ms of [1, 2, 3]) opened(0).listener.message(running(ms));
    expect(kinds()).toEqual(['read-progressed']);
  });

  it('keeps its watch where a read beside it fails, and says whether that read brought more', async () => {
    const { session, source, inputs, opened } = await begin();
    session.perform({ kind: 'open-watch' });
    session.perform(CHECK);
    opened(1).listener.message(running(5));
    source.end(opened(1), BROKEN);
    session.perform(CHECK);
    source.end(opened(2), BROKEN);
    const checks = inputs.filter(({ kind }) => kind !== 'read-progressed');
    expect(checks).toEqual([
      { kind: 'check-failed', end: BROKEN, isAheadOfWatch: true },
      // The watch still lacks the message, but that was known.
      { kind: 'check-failed', end: BROKEN, isAheadOfWatch: false },
    ]);
    expect(source.live).toEqual([opened(0)]);
  });

  it('has come to the end of a read: what failed before does not count any more', async () => {
    const { session, source, failures, opened } = await begin();
    session.perform(READ);
    source.end(opened(0), BROKEN);
    expect(failures.isOver).toBe(false);
    session.perform({ kind: 'decide-step' });
    expect(failures.isOver).toBe(true);
  });

  it('says once of each message that it could not be read, whatever number of streams skip it', async () => {
    const { session, failures, skipped, opened } = await begin();
    const unreadable = { kind: 'unreadable', reason: '' } as const;
    session.perform(READ);
    expect(opened(0).request.skipUnreadable).toBeUndefined();
    for (let i = 0; i < 3; i++) failures.classify(unreadable, session.openedAt, Cursor(''));
    for (const n of [1, 2]) {
      session.perform(READ);
      for (const reason of ['first', 'second']) opened(n).request.skipUnreadable?.(reason);
    }
    expect(skipped).toEqual(['first', 'second']);
  });

  it('reconciles at the end of a read once it has written what that brought', async () => {
    const { session, rounds, kinds, opened } = await begin();
    session.perform(READ);
    opened(0).listener.message(running(1, JobId('a')));
    session.perform({ kind: 'finish-round' });
    await eventually('the round is over', () => kinds().includes('round-ended'));
    expect(rounds.unfinished).toEqual([1]);
  });

  it('calls Armada no more once the job set is being closed', async () => {
    const { session, rounds, kinds } = await begin();
    session.perform({ kind: 'close-job-set' });
    expect(rounds.isStopped).toBe(true);
    await eventually('it is closed', () => kinds().includes('closed'));
  });

  it('reads, writes and says nothing any more once it is abandoned', async () => {
    const { session, source, quota, inputs, failed, rounds, batches, opened } = await begin();
    session.perform({ kind: 'open-watch' });
    session.perform({ kind: 'decide-step' });
    session.abandon();
    expect([session.isOver, rounds.isStopped, source.live]).toEqual([true, true, []]);
    opened(0).listener.message(running(1));
    opened(0).listener.end(BROKEN);
    session.batchWriter.heartbeat();
    session.fail(new Error('too late'));
    await settled();
    expect([inputs, failed, batches]).toEqual([[], [], []]);
    expect(quota.isWatched).toBe(true);
  });
});
