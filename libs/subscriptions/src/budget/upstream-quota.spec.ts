import { jest } from '@jest/globals';
import { Cursor } from '@ajs/job-state';
import { AssignmentId } from './assignment-id.js';
import { UpstreamQuota } from './upstream-quota.js';
import type { WatchBudget } from './watch-budget.js';

const ID = AssignmentId('t');
const POSITION = () => ({ cursor: Cursor(''), unfinished: 0, eventsPerMinute: 0 });

describe('the quota of an assignment', () => {
  let held: Set<string>;
  let announced: boolean[];
  let give: () => void;
  let refuse: () => void;
  let reads = 0;
  let taken: string[];
  let quietFor: number[];

  beforeEach(() => {
    held = new Set();
    announced = [];
    taken = [];
    quietFor = [];
  });

  const quotaOf = ({ wasWatched = false } = {}) => {
    const watches = {
      confirmAboveShare: () => Promise.resolve(false),
      holds: (id: string) => held.has(id),
      release: (id: string) => held.delete(id),
      claim: (id: string) =>
        new Promise<boolean>((done) => {
          give = () => {
            held.add(id);
            done(true);
          };
          refuse = () => done(false);
        }),
    } as unknown as WatchBudget;
    const upstreamQuota = new UpstreamQuota({
      interest: {
        age: () => Promise.resolve(0),
        polls: () => Promise.resolve({ age: 0, perMinute: 1 }),
      },
      lifetime: { followFor: 1_000, followUnfinishedFor: 1_000, keepFor: 1_000 },
      watches,
      reads: { take: (as: string) => Promise.resolve(void taken.push(as)) },
      schedule: { next: (quietMs: number) => quietFor.push(quietMs) },
      onRead: () => reads++,
      now: () => 0,
    } as unknown as ConstructorParameters<typeof UpstreamQuota>[0]);
    return upstreamQuota.quotaOf({
      assignmentId: ID,
      key: { queue: 'q', jobSetId: 's' },
      wasWatched,
      holder: {
        watchGranted: () => void announced.push(true),
        watchRevoked: () => {
          announced.push(false);
          // It is closed only now: until then it counts.
          expect(held).toEqual(new Set([ID]));
        },
      },
    });
  };

  /** As far as it gets until the budget answers. */
  const claimed = async (quota: ReturnType<typeof quotaOf>): Promise<() => Promise<unknown>> => {
    const next = quota.nextStep(POSITION);
    await new Promise((resolve) => setImmediate(resolve));
    return () => next;
  };

  it('has the watch that it was granted, and announces it', async () => {
    const quota = quotaOf();
    const next = await claimed(quota);
    give();
    expect(await next()).toBe('watch');
    expect([quota.isWatched, announced]).toEqual([true, [true]]);
  });

  it('closes its watch and then releases it where there is nothing to watch, and announces it', async () => {
    const quota = quotaOf();
    const next = await claimed(quota);
    give();
    await next();
    quota.releaseWatch('PERMISSION_DENIED: no');
    expect([held.size, announced]).toEqual([0, [true, false]]);
  });

  it('counts the reads that begin, and none that was withdrawn', async () => {
    const quota = quotaOf();
    await quota.admitRead('check', AbortSignal.abort());
    expect(reads).toBe(0);
    await quota.admitRead('check', new AbortController().signal);
    expect(reads).toBe(1);
  });

  it('reads before those that are due only to go on with what the owner before watched', async () => {
    const { signal } = new AbortController();
    for (const wasWatched of [true, false]) {
      const quota = quotaOf({ wasWatched });
      for (const reason of ['catch-up', 'check', 'requested'] as const) await quota.admitRead(reason, signal);
    }
    expect(taken).toEqual(['watched', 'due', 'requested', 'due', 'due', 'requested']);
  });

  it('reads again by when the job set was last polled, as it stands when that is decided', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    try {
      const next = await claimed(quotaOf());
      now.mockReturnValue(6_000);
      refuse();
      await next();
      expect(quietFor).toEqual([5_000]);
    } finally {
      now.mockRestore();
    }
  });

  it('releases a watch that is granted when the assignment is over', async () => {
    const quota = quotaOf();
    const next = await claimed(quota);
    quota.release();
    give();
    await next().catch(() => undefined);
    expect([held.size, announced]).toEqual([0, []]);
  });
});

describe('the quota of a replica', () => {
  it.each([
    ['a new assignment while less than a second’s worth of reads wait', true, 9],
    ['another one while less than 500 wait', false, 499],
  ])('admits %s', (_, isNew, most) => {
    const quota = new UpstreamQuota({
      reads: { perSecond: () => 10 },
      schedule: { reserve: () => 7_000 },
    } as unknown as ConstructorParameters<typeof UpstreamQuota>[0]);
    expect([most, most + 1].map((reading) => quota.admissionDelay(reading, isNew))).toEqual([
      undefined,
      7_000,
    ]);
  });
});
