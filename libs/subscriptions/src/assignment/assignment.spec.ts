import type { JobSink } from '@ajs/job-store';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { completesWithin } from '@ajs/platform';
import { eventually } from '@ajs/testing';
import type { Job } from 'bullmq';
import { AssignmentId } from '../budget/assignment-id.js';
import type { UpstreamQuota } from '../budget/upstream-quota.js';
import { BatchPacer } from '../sync/batch-pacer.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import { StreamFailures } from '../sync/stream-failures.js';
import { scriptedReconciler } from '../testing/scripted-reconciler.js';
import { ScriptedQuota } from '../testing/scripted-quota.js';
import { ScriptedSource, running } from '../testing/scripted-source.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { Assignment } from './assignment.js';
import type { AssignmentData } from './work-queue.js';

const remembered: (boolean | undefined)[] = [];
const jobOf = (data: AssignmentData): Job<AssignmentData, void> =>
  ({
    data,
    updateData: ({ watched }: AssignmentData) => Promise.resolve(void remembered.push(watched)),
  }) as unknown as Job<AssignmentData, void>;
const JOB = jobOf({ queue: 'q', jobSetId: 's' });
const WATCHED_JOB = jobOf({ queue: 'q', jobSetId: 's', watched: true });
const ignore = (): void => undefined;
const NEVER = new Promise<void>(ignore);

function anAssignment(sink: JobSink = new MemoryJobStore()) {
  const source = new ScriptedSource();
  const released: boolean[] = [];
  const quota = Object.assign(new ScriptedQuota(), { release: () => void released.push(true) });
  const announced: string[] = [];
  const assignment = new Assignment(AssignmentId('a'), JOB, new StreamFailures(REFLECTOR_TIMING), {
    sink,
    source,
    quota: { quotaOf: () => quota } as unknown as UpstreamQuota,
    observer: {
      ...SILENT_OBSERVER,
      watchStarted: () => announced.push('started'),
      watchEnded: (_, reason) => announced.push(reason),
    },
    reconciler: scriptedReconciler().reconciler,
    pacer: new BatchPacer(),
    timing: REFLECTOR_TIMING,
    onError: ignore,
  });
  return { assignment, source, quota, released, announced };
}

describe('an assignment', () => {
  it('ends at once where its lease has expired before it begins', async () => {
    const { assignment, source } = anAssignment();
    const expired = { isHeld: () => false, expired: Promise.resolve() };
    expect(await assignment.serve(JOB, expired)).toEqual({ kind: 'lease-lost' });
    await assignment.stop();
    expect(source.opened).toEqual([]);
  });

  it('goes on with its streams when its lease is taken again, for as long as it has a watch', async () => {
    const store = new MemoryJobStore();
    let opened = 0;
    const sink: JobSink = { open: (key) => (opened++, store.open(key)) };
    const { assignment, source, quota, announced } = anAssignment(sink);
    let expire = ignore;
    const expired = new Promise<void>((resolve) => (expire = resolve));
    const ended = assignment.serve(JOB, { isHeld: () => true, expired });
    await eventually('it reads', () => source.live.length === 1);
    expire();
    expect(await ended).toEqual({ kind: 'lease-lost' });
    expect(assignment.canResume).toBe(true);
    assignment.announceEnd('lease-lost');
    const again = assignment.serve(JOB, { isHeld: () => true, expired: NEVER });
    expect(source.opened).toHaveLength(1);
    assignment.end({ kind: 'hand-over' });
    expect(await again).toEqual({ kind: 'hand-over' });
    expect(announced).toEqual(['started', 'lease-lost', 'started']);
    quota.isWatched = false;
    expect(assignment.canResume).toBe(false);
    await assignment.stop();
    expect([source.live, opened]).toEqual([[], 1]);
  });

  it('ends as its job set does, with its part of the quota given back', async () => {
    const { assignment, source, quota, released } = anAssignment();
    quota.step = 'done';
    source.endsReads = true;
    const served = assignment.serve(JOB, { isHeld: () => true, expired: NEVER });
    expect(await completesWithin(30_000, served)).toBe(true);
    expect([await served, released]).toEqual([{ kind: 'done' }, [true]]);
  });

  it('ends at once where it was abandoned while its lease was taken again, and is followed by another one', async () => {
    const { assignment, source } = anAssignment();
    const ended = assignment.serve(JOB, { isHeld: () => true, expired: Promise.resolve() });
    await eventually('it reads', () => source.live.length === 1);
    expect(await ended).toEqual({ kind: 'lease-lost' });
    assignment.abandon();
    expect(assignment.canResume).toBe(false);
    const again = assignment.serve(JOB, { isHeld: () => true, expired: NEVER });
    expect(await completesWithin(30_000, again)).toBe(true);
    expect(await again).toEqual({ kind: 'hand-over' });
  });

  it('has closed its streams and given its watch back when it is abandoned, though it still waits for a write', async () => {
    const store = new MemoryJobStore();
    let writes = 0;
    const sink: JobSink = {
      open: async (key) => Object.assign(await store.open(key), { write: () => new Promise(() => writes++) }),
    };
    const { assignment, source, released } = anAssignment(sink);
    void assignment.serve(JOB, { isHeld: () => true, expired: NEVER });
    const read = await eventually('it reads', () => source.live[0]);
    read.listener.message(running(1));
    assignment.reflector.heartbeat();
    await eventually('it writes', () => writes > 0);
    expect(released).toEqual([]);
    assignment.abandon();
    expect([source.live, released]).toEqual([[], [true]]);
  });

  it('stops without writing what it read where its lease has expired', async () => {
    const { assignment, source } = anAssignment();
    let isHeld = true;
    let expire = ignore;
    const expired = new Promise<void>((resolve) => (expire = resolve));
    const ended = assignment.serve(JOB, { isHeld: () => isHeld, expired });
    const read = await eventually('it reads', () => source.live[0]);
    isHeld = false;
    expire();
    expect(await ended).toEqual({ kind: 'lease-lost' });
    read.listener.message(running(1));
    expect(await completesWithin(30_000, assignment.stop())).toBe(true);
    expect(source.live).toEqual([]);
  });

  it('tries to write what it read no longer than its lease lasts once it is stopped', async () => {
    const store = new MemoryJobStore();
    let tries = 0;
    const sink: JobSink = {
      open: async (key) =>
        Object.assign(await store.open(key), {
          write: () => Promise.reject(new Error(`Connection is closed. ${tries++}`)),
        }),
    };
    const { assignment, source } = anAssignment(sink);
    let isHeld = true;
    let expire = ignore;
    const expired = new Promise<void>((resolve) => (expire = resolve));
    void assignment.serve(JOB, { isHeld: () => isHeld, expired });
    const read = await eventually('it reads', () => source.live[0]);
    read.listener.message(running(1));
    const stopped = assignment.stop();
    await eventually('it tries to write', () => tries > 1);
    isHeld = false;
    expire();
    expect(await completesWithin(30_000, stopped)).toBe(true);
  });

  it('closes its watch when that is revoked, and notes that for the next owner', async () => {
    const { assignment, source, announced } = anAssignment();
    source.endsReads = true;
    void assignment.serve(JOB, { isHeld: () => true, expired: NEVER });
    await eventually('it watches', () => source.live.length === 1);
    assignment.watchRevoked('a hotter job set needs its watch');
    expect(source.live.some(({ request }) => request.watch)).toBe(false);
    assignment.announceEnd('hand-over');
    expect(announced).toEqual(['started', 'a hotter job set needs its watch']);
    expect(remembered.at(-1)).toBe(false);
    await assignment.stop();
  });

  it('notes nothing for the next owner while its lease is lost: that one may have noted its own watch by then', async () => {
    const { assignment } = anAssignment();
    let isHeld = true;
    void assignment.serve(JOB, { isHeld: () => isHeld, expired: NEVER });
    isHeld = false;
    const before = remembered.length;
    assignment.watchRevoked('a hotter job set needs its watch');
    expect(remembered.slice(before)).toEqual([]);
    assignment.abandon();
    await assignment.stop();
  });

  it('is no more urgent than others, whatever its owner before did, once it goes on without a watch', async () => {
    const { assignment, quota } = anAssignment();
    quota.isWatched = false;
    const before = remembered.length;
    void assignment.serve(JOB, { isHeld: () => true, expired: NEVER });
    assignment.watchRefused();
    expect(remembered.slice(before)).toEqual([]);
    void assignment.serve(WATCHED_JOB, { isHeld: () => true, expired: NEVER });
    assignment.watchRefused();
    expect(remembered.slice(before)).toEqual([false]);
    await assignment.stop();
  });

  it('announces one start of its watch, also where it goes on with one and is granted it again', async () => {
    const { assignment, source, announced } = anAssignment();
    void assignment.serve(JOB, { isHeld: () => true, expired: NEVER });
    await eventually('it reads', () => source.live.length === 1);
    const before = remembered.length;
    assignment.watchGranted();
    expect(remembered.slice(before)).toEqual([true]);
    assignment.announceEnd('hand-over');
    expect(announced).toEqual(['started', 'hand-over']);
    await assignment.stop();
  });
});
