import { MemoryJobStore } from '@ajs/job-store/testing';
import { eventually } from '@ajs/testing';
import type { Job } from 'bullmq';
import { AssignmentId } from '../budget/assignment-id.js';
import type { UpstreamQuota } from '../budget/upstream-quota.js';
import { BatchPacer } from '../sync/batch-pacer.js';
import { REFLECTOR_TIMING } from '../sync/reflector-timing.js';
import { StreamFailures } from '../sync/stream-failures.js';
import { scriptedReconciler } from '../testing/scripted-reconciler.js';
import { ScriptedQuota } from '../testing/scripted-quota.js';
import { ScriptedSource } from '../testing/scripted-source.js';
import { SILENT_OBSERVER } from '../testing/silent-observer.js';
import { Assignment } from './assignment.js';
import type { AssignmentData } from './work-queue.js';

const JOB = { data: { queue: 'q', jobSetId: 's' } } as Job<AssignmentData, void>;
const ignore = (): void => undefined;
const NEVER = new Promise<void>(ignore);

function anAssignment() {
  const source = new ScriptedSource();
  const quota = Object.assign(new ScriptedQuota(), { release: ignore });
  const announced: string[] = [];
  const assignment = new Assignment(AssignmentId('a'), JOB, new StreamFailures(REFLECTOR_TIMING), {
    sink: new MemoryJobStore(),
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
  return { assignment, source, quota, announced };
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
    const { assignment, source, quota, announced } = anAssignment();
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
    expect(source.live).toEqual([]);
  });
});
