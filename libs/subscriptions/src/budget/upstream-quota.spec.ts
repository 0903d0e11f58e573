import { jest } from '@jest/globals';
import { Cursor } from '@ajs/job-state';
import { completesWithin } from '@ajs/platform';
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
  let refusals: number;
  let taken: string[];
  let quietFor: number[];
  let heats: number[];
  let pollAge: number | undefined;
  let asked: number;
  let isAboveShare: boolean;

  beforeEach(() => {
    heats = [];
    refusals = 0;
    pollAge = 0;
    isAboveShare = false;
    held = new Set();
    announced = [];
    taken = [];
    quietFor = [];
    asked = 0;
  });

  const quotaOf = ({ wasWatched = false } = {}) => {
    const watches = {
      confirmAboveShare: () => Promise.resolve(isAboveShare),
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
        polls: () => {
          asked++;
          return Promise.resolve(pollAge === undefined ? undefined : { age: pollAge, perMinute: 1 });
        },
      },
      lifetime: { followFor: 1_000, followUnfinishedFor: 5_000, keepFor: 5_000 },
      watches,
      reads: { take: (as: string) => Promise.resolve(void taken.push(as)) },
      schedule: {
        next: (quietMs: number, heat: number) => (heats.push(heat), quietFor.push(quietMs)),
        reserve: (afterMs: number) => 2 * afterMs,
      },
      onRead: () => reads++,
      now: () => 100_000,
    } as unknown as ConstructorParameters<typeof UpstreamQuota>[0]);
    return upstreamQuota.quotaOf({
      assignmentId: ID,
      key: { queue: 'q', jobSetId: 's' },
      wasWatched,
      holder: {
        watchGranted: () => void announced.push(true),
        watchRefused: () => refusals++,
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

  /** What comes next where the budget is not asked. */
  const decided = async (quota: ReturnType<typeof quotaOf>): Promise<unknown> => {
    const next = quota.nextStep(POSITION);
    expect(await completesWithin(30_000, next)).toBe(true);
    return next;
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

  it('asks how the job set is polled once for an assignment that begins and is read within a second', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    try {
      const quota = quotaOf();
      expect(await quota.isForgotten()).toBe(false);
      now.mockReturnValue(1_999);
      expect([await quota.isWanted(1), asked]).toEqual([true, 1]);
      now.mockReturnValue(2_000);
      pollAge = undefined;
      expect([await quota.isWanted(1), asked]).toEqual([false, 2]);
    } finally {
      now.mockRestore();
    }
  });

  it('asks again before it says that the job set is not wanted: it may have been polled since', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    try {
      const quota = quotaOf();
      pollAge = 900;
      expect(await quota.isForgotten()).toBe(false);
      now.mockReturnValue(1_100);
      pollAge = 0;
      expect([await quota.isWanted(0), asked]).toEqual([true, 2]);
    } finally {
      now.mockRestore();
    }
  });

  it('is of a job set that was forgotten where there is no poll of it', async () => {
    pollAge = undefined;
    const quota = quotaOf();
    expect([await quota.isForgotten(), await quota.isWanted(1)]).toEqual([true, false]);
  });

  it('claims no watch while it has one', async () => {
    const quota = quotaOf();
    held.add(ID);
    expect(await decided(quota)).toBe('watch');
    expect(announced).toEqual([]);
  });

  it('claims no watch where its replica has more than its share', async () => {
    isAboveShare = true;
    expect(await decided(quotaOf())).toEqual({ readInMs: 1 });
  });

  it('says that its job set goes on without a watch, while it goes on', async () => {
    for (const isOver of [false, true]) {
      const quota = quotaOf();
      const next = await claimed(quota);
      if (isOver) quota.release();
      refuse();
      await next();
      expect(refusals).toBe(1);
    }
    const granted = await claimed(quotaOf());
    give();
    await granted();
    expect(refusals).toBe(1);
  });

  it('has nothing to release while it has no watch', () => {
    quotaOf().releaseWatch('PERMISSION_DENIED: no');
    expect(announced).toEqual([]);
  });

  it('is done with a job set that is not polled any more', async () => {
    pollAge = 1_000;
    expect(await decided(quotaOf())).toBe('done');
  });

  it('reads before those that are due once it had a watch, and not any more once it was refused one', async () => {
    const quota = quotaOf();
    for (const settle of [() => give(), () => refuse()]) {
      const next = await claimed(quota);
      settle();
      await next();
      held.clear();
      await quota.admitRead('catch-up', new AbortController().signal);
    }
    expect(taken).toEqual(['watched', 'due']);
  });

  it('reads again by the last event where that is later than the last poll, and by how hot the job set is', async () => {
    pollAge = 900;
    const quota = quotaOf();
    const next = quota.nextStep(() => ({
      cursor: Cursor('99500:0:0:1'),
      unfinished: 1,
      eventsPerMinute: 60,
    }));
    await new Promise((resolve) => setImmediate(resolve));
    refuse();
    await next;
    expect([quietFor, heats]).toEqual([[500], [12]]);
  });

  it('reads after a failure when there is a place for it', () => {
    expect(quotaOf().scheduleRead(250)).toBe(500);
  });

  it('releases its watch once: by then the next assignment of its job set may have one', () => {
    const quota = quotaOf();
    quota.release();
    held.add(ID);
    quota.release();
    expect(held).toEqual(new Set([ID]));
  });

  it.each([
    ['forgotten where it has none', undefined, true],
    ['not forgotten, however long ago it was polled', 1e9, false],
  ])('says that interest in its job set is %s', async (_, age, isForgotten) => {
    const interest = { polls: () => Promise.resolve(age === undefined ? undefined : { age, perMinute: 1 }) };
    const options = { interest } as unknown as ConstructorParameters<typeof UpstreamQuota>[0];
    const request = { assignmentId: ID, key: { queue: 'q', jobSetId: 's' }, wasWatched: false };
    const ignore = (): void => undefined;
    const holder = { watchGranted: ignore, watchRefused: ignore, watchRevoked: ignore };
    const quota = new UpstreamQuota(options).quotaOf({ ...request, holder });
    expect(await quota.isForgotten()).toBe(isForgotten);
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
    ['a new assignment while less than a second’s worth of reads wait', true, 10, 9],
    ['a new assignment while less than 500 wait, however many may be read', true, 10_000, 499],
    ['another one while less than 500 wait', false, 10, 499],
  ])('admits %s', (_, isNew, perSecond, most) => {
    const quota = new UpstreamQuota({
      reads: { perSecond: () => perSecond },
      schedule: { reserve: () => 7_000 },
    } as unknown as ConstructorParameters<typeof UpstreamQuota>[0]);
    expect([most, most + 1].map((reading) => quota.admissionDelay(reading, isNew))).toEqual([
      undefined,
      7_000,
    ]);
  });
});
