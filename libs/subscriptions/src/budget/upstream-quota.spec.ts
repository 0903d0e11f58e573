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
  let reads = 0;

  beforeEach(() => {
    held = new Set();
    announced = [];
  });

  const quotaOf = () => {
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
        }),
    } as unknown as WatchBudget;
    const upstreamQuota = new UpstreamQuota({
      interest: { age: () => Promise.resolve(0) },
      lifetime: { followFor: 1_000, followUnfinishedFor: 1_000, keepFor: 1_000 },
      watches,
      reads: { take: () => Promise.resolve() },
      onRead: () => reads++,
      now: () => 0,
    } as unknown as ConstructorParameters<typeof UpstreamQuota>[0]);
    return upstreamQuota.quotaOf({
      assignmentId: ID,
      key: { queue: 'q', jobSetId: 's' },
      wasWatched: false,
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
