import { jest } from '@jest/globals';
import type { JobSetKey } from '@ajs/job-state';
import { RedisJobSetLife, createRedisClient, type RedisClient } from '@ajs/job-store';
import { interestShard, jobSetTag } from '@ajs/redis-keys';
import { LoopProgress } from '@ajs/platform';
import { ManualClock, RedisServer, eventually } from '@ajs/testing';
import { RecordedQueue } from '../testing/recorded-queue.js';
import { InterestRecorder, type InterestRecorderOptions } from './interest-recorder.js';
import { InterestStore } from './interest-store.js';

const ignore = (): void => undefined;
let server: RedisServer;
let redis: RedisClient;
let interest: InterestStore;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', ignore);
  interest = new InterestStore(redis);
});
afterEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const jobSet = (n: number): JobSetKey => ({ queue: 'q', jobSetId: `s${n}` });

function recorderWith(options: Partial<InterestRecorderOptions> = {}) {
  const queue = new RecordedQueue();
  const recorder = new InterestRecorder({
    interest,
    life: new RedisJobSetLife(redis, 1_000),
    workQueue: queue,
    maxJobSets: 1_000,
    maxNewJobSetsPerCaller: 1_000,
    onRefused: ignore,
    onError: ignore,
    ...options,
  });
  /** Polls these job sets; returns why each is refused. */
  const poll = async (from: number, to: number, caller: string): Promise<(string | undefined)[]> => {
    const keys = Array.from({ length: to - from }, (_, i) => jobSet(from + i));
    for (const key of keys) recorder.record(key, undefined, caller);
    await recorder.flushed();
    return keys.map((key) => recorder.refusal(jobSetTag(key), caller));
  };
  return { recorder, queue, poll };
}

/** The store, with something before every record. */
function intercepted(before: () => Promise<unknown>): InterestStore {
  return Object.assign(Object.create(interest) as InterestStore, {
    record: (...args: Parameters<InterestStore['record']>) => before().then(() => interest.record(...args)),
  });
}

describe('the interest recorder', () => {
  it('records a poll that comes while a flush ends, in whatever step', async () => {
    for (let steps = 0; steps < 20; steps++) {
      const [first, late] = [jobSet(steps), jobSet(100 + steps)];
      const pollLate = async (): Promise<void> => {
        for (let step = 0; step < steps; step++) await Promise.resolve();
        recorder.record(late);
      };
      const touch = (key: JobSetKey): Promise<boolean> => {
        if (key === first) void pollLate();
        return Promise.resolve(true);
      };
      const { recorder, queue } = recorderWith({
        life: Object.assign(Object.create(RedisJobSetLife.prototype) as RedisJobSetLife, { touch }),
      });
      recorder.record(first);
      await eventually(`a poll ${steps} steps later is recorded`, () => queue.enqueued.has(late.jobSetId));
    }
  });

  it('lets no caller take all the room for job sets that wait to be recorded', () => {
    let refused = 0;
    const { recorder } = recorderWith({
      interest: intercepted(() => new Promise(() => undefined)),
      maxNewJobSetsPerCaller: 100_000,
      onRefused: () => refused++,
    });
    const isRefused = (n: number, caller: string): boolean => {
      recorder.record(jobSet(n), undefined, caller);
      return recorder.refusal(jobSetTag(jobSet(n)), caller) !== undefined;
    };
    let accepted = 0;
    while (accepted < 20_000 && !isRefused(accepted, 'flood')) accepted++;
    expect([accepted, refused]).toEqual([15_000, 1]);
    expect(isRefused(30_000, 'another')).toBe(false);
  });

  it('takes one place of that room for a job set that several callers poll', async () => {
    const stub = { record: () => Promise.resolve('refused') } as unknown as InterestStore;
    let refused = 0;
    const { recorder } = recorderWith({
      interest: stub,
      maxNewJobSetsPerCaller: 0,
      onRefused: () => refused++,
    });
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 8_000; n++) {
        for (const caller of ['one', 'another'])
          recorder.record(jobSet(8_000 * round + n), undefined, caller);
      }
      await recorder.flushed();
    }
    // Each once, by the store.
    expect(refused).toBe(16_000);
  });

  it('writes what is polled in one iteration of the event loop together, and at most 500 job sets at once', async () => {
    let recorded = 0;
    let answer = ignore;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const { recorder, queue } = recorderWith({ interest: intercepted(() => (recorded++, answered)) });
    const enqueue = jest.spyOn(queue, 'enqueue');
    for (let n = 0; n < 501; n++) recorder.record(jobSet(n));
    await eventually('it is written', () => recorded > 0);
    expect(recorded).toBe(500);
    answer();
    await recorder.flushed();
    expect([recorded, enqueue.mock.calls.map(([keys]) => keys.length)]).toEqual([501, [500, 1]]);
  });

  it('gives a caller its share of that room again once its job sets are being written', async () => {
    const { recorder } = recorderWith({
      interest: intercepted(() => Promise.reject(new Error('Redis is away'))),
      maxNewJobSetsPerCaller: 100_000,
    });
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 15_000; n++) recorder.record(jobSet(n), undefined, 'caller');
      expect(recorder.refusal(jobSetTag(jobSet(14_999)), 'caller')).toBeUndefined();
      await recorder.flushed();
    }
  });

  it('stands still where Redis does not answer what is to be written, and has nothing to do after that', async () => {
    const clock = new ManualClock();
    const progress = new LoopProgress(30_000, () => clock.monotonic());
    let answer = ignore;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const { recorder } = recorderWith({ interest: intercepted(() => answered), progress });
    clock.advance(60_000);
    expect(progress.standstill).toBeUndefined();
    recorder.record(jobSet(1));
    clock.advance(42_000);
    expect(progress.standstill).toBe('no progress for 42 s');
    answer();
    await recorder.flushed();
    clock.advance(60_000);
    expect(progress.standstill).toBeUndefined();
  });

  it('writes once for many polls, and enqueues the job set', async () => {
    let writes = 0;
    const { recorder, queue } = recorderWith({ interest: intercepted(() => Promise.resolve(writes++)) });
    for (let i = 0; i < 1_000; i++) recorder.record(jobSet(1));
    await recorder.flushed();
    for (let i = 0; i < 1_000; i++) recorder.record(jobSet(1));
    await recorder.flushed();
    expect([writes, [...queue.enqueued]]).toEqual([1, ['s1']]);
  });

  it('writes the next poll again once Redis may have lost what was recorded', async () => {
    const { recorder } = recorderWith();
    recorder.record(jobSet(1));
    await recorder.flushed();
    await redis.flushall();
    recorder.record(jobSet(1));
    await recorder.flushed();
    expect(await interest.age(jobSet(1))).toBeUndefined();
    recorder.invalidate();
    recorder.record(jobSet(1));
    await recorder.flushed();
    expect(await interest.age(jobSet(1))).toBeDefined();
  });

  it('keeps the keys of a polled job set alive', async () => {
    const meta = redis.ownKeys.metaKey(jobSet(1));
    await redis.hset(meta, { generation: 'g', buckets: 1, renewed: 0 });
    await redis.expire(meta, 50);
    const { poll } = recorderWith();
    await poll(1, 2, 'caller');
    expect(await redis.ttl(meta)).toBeGreaterThan(900);
    expect(Number(await redis.hget(meta, 'interest'))).toBeGreaterThan(0);
  });

  it('promotes a job set that was quiet, and no other', async () => {
    const shard = redis.ownKeys.format({ kind: 'interest', shard: interestShard(jobSet(1)) });
    await redis.zadd(shard, Date.now() - 60_000, jobSetTag(jobSet(1)));
    await interest.record(jobSet(2));
    const { queue, poll } = recorderWith();
    await poll(1, 4, 'caller');
    expect([...queue.promoted]).toEqual(['s1']);
  });

  it('takes a caller’s allowance once for a job set that waits, though Redis may have lost what was recorded', async () => {
    const { recorder, poll } = recorderWith({ maxNewJobSetsPerCaller: 2 });
    recorder.record(jobSet(1), undefined, 'caller');
    recorder.invalidate();
    expect(await poll(1, 3, 'caller')).toEqual([undefined, undefined]);
  });

  it('asks Redis once in ten seconds about what a caller at its limit polls, be it followed already or not', async () => {
    await interest.record(jobSet(1));
    let asked = 0;
    const { poll } = recorderWith({
      maxNewJobSetsPerCaller: 0,
      interest: intercepted(() => Promise.resolve(asked++)),
    });
    for (let n = 0; n < 3; n++) await poll(1, 3, 'caller');
    expect(asked).toBe(2);
  });

  it('records the next poll of a caller at its limit where the one before could not be written', async () => {
    await interest.record(jobSet(1));
    let isAway = true;
    const { poll } = recorderWith({
      maxNewJobSetsPerCaller: 0,
      interest: intercepted(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve())),
    });
    await poll(1, 2, 'caller');
    isAway = false;
    expect(await poll(1, 2, 'caller')).toEqual([undefined]);
  });

  it('records the next poll of what could not be written', async () => {
    const errors: Error[] = [];
    let isAway = true;
    const { recorder } = recorderWith({
      interest: intercepted(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve())),
      onError: (error) => errors.push(error),
    });
    recorder.record(jobSet(1));
    await recorder.flushed();
    expect(errors).toHaveLength(1);
    isAway = false;
    recorder.record(jobSet(1));
    await recorder.flushed();
    expect(await interest.age(jobSet(1))).toBeDefined();
  });

  it('takes nothing of a caller’s allowance for what could not be written', async () => {
    let isAway = true;
    const { poll } = recorderWith({
      maxNewJobSetsPerCaller: 1,
      interest: intercepted(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve())),
    });
    await poll(1, 2, 'caller');
    isAway = false;
    expect(await poll(2, 4, 'caller')).toEqual([undefined, expect.any(String)]);
  });

  it('takes nothing of a caller’s allowance for what turns out to be followed already', async () => {
    for (const n of [1, 2]) await interest.record(jobSet(n));
    const { poll } = recorderWith({ maxNewJobSetsPerCaller: 1 });
    for (let n = 1; n <= 3; n++) expect(await poll(n, n + 1, 'caller')).toEqual([undefined]);
    expect(await poll(4, 5, 'caller')).toEqual([expect.stringContaining('MAX_NEW_JOB_SETS_PER_CALLER')]);
  });

  it.each([
    ['given back once for what turns out to be followed already', true, [undefined, expect.any(String)]],
    ['used up by what is new', false, [expect.any(String), expect.any(String)]],
  ])(
    'has a caller’s allowance %s, also where the work queue fails after that',
    async (_, isKnown, refusals) => {
      if (isKnown) await interest.record(jobSet(1));
      const workQueue = new RecordedQueue();
      const { poll } = recorderWith({ workQueue, maxNewJobSetsPerCaller: isKnown ? 2 : 1 });
      if (isKnown) await poll(2, 3, 'caller');
      workQueue.enqueue = () => Promise.reject(new Error('the work queue is away'));
      await poll(1, 2, 'caller');
      workQueue.enqueue = () => Promise.resolve();
      expect(await poll(3, 5, 'caller')).toEqual(refusals);
    },
  );

  it('enqueues a job set once its interest is recorded: its owner finds it wanted', async () => {
    const ages: (number | undefined)[] = [];
    const workQueue = Object.assign(new RecordedQueue(), {
      enqueue: async (keys: readonly JobSetKey[]) => {
        for (const key of keys) ages.push(await interest.age(key));
      },
    });
    const { recorder } = recorderWith({ workQueue });
    recorder.record(jobSet(1));
    await recorder.flushed();
    expect(ages).toEqual([expect.any(Number)]);
  });

  it('writes what is polled while it writes', async () => {
    let polls = 0;
    const { recorder } = recorderWith({
      interest: intercepted(() => {
        if (polls++ === 0) recorder.record(jobSet(2));
        return Promise.resolve();
      }),
    });
    recorder.record(jobSet(1));
    await recorder.flushed();
    expect([await interest.age(jobSet(1)), await interest.age(jobSet(2))]).toEqual([
      expect.any(Number),
      expect.any(Number),
    ]);
  });

  it('refuses more job sets than one caller, and than all together, may have followed, and says why', async () => {
    let refused = 0;
    const { queue, poll } = recorderWith({
      maxJobSets: 160,
      maxNewJobSetsPerCaller: 100,
      onRefused: () => refused++,
    });
    const reasons = await poll(0, 1_000, 'careless');
    const accepted = reasons.slice(0, 100).filter((reason) => reason === undefined).length;
    expect(accepted).toBeGreaterThan(50);
    expect(reasons[100]).toContain('MAX_NEW_JOB_SETS_PER_CALLER');
    const others = await poll(1_000, 1_100, 'other');
    expect(others.filter((reason) => reason?.includes('MAX_JOB_SETS'))).not.toHaveLength(0);
    expect(others.filter((reason) => reason === undefined)).not.toHaveLength(0);
    let recorded = 0;
    for await (const page of interest.all()) recorded += page.length;
    expect(recorded).toBeLessThanOrEqual(160);
    expect(refused).toBe(1_100 - recorded);
    expect(queue.enqueued.size).toBe(recorded);
  }, 30_000);

  it('records once in ten seconds how many polls there were since, the recorded one among them', async () => {
    const recorded: (number | undefined)[] = [];
    const counted = Object.assign(Object.create(interest) as InterestStore, {
      record: (...args: Parameters<InterestStore['record']>) => {
        recorded.push(args[2]);
        return interest.record(...args);
      },
    });
    const { poll } = recorderWith({ interest: counted });
    // Whole: what is added to a fraction is rounded.
    const began = Math.round(performance.now());
    const now = jest.spyOn(performance, 'now').mockReturnValue(began);
    try {
      for (const [ms, polls] of [
        [0, 3],
        [9_999, 1],
        [10_000, 4],
        [20_000, 1],
      ] as const) {
        now.mockReturnValue(began + ms);
        for (let n = 0; n < polls; n++) await poll(1, 2, 'caller');
      }
      expect(recorded).toEqual([1, 4, 4]);
    } finally {
      now.mockRestore();
    }
  });

  it('has a reason to refuse for ten seconds, within which the poll that is recorded next may have another one', async () => {
    const { poll, recorder } = recorderWith({ maxJobSets: 0 });
    const began = Math.round(performance.now());
    const now = jest.spyOn(performance, 'now').mockReturnValue(began);
    try {
      expect(await poll(1, 2, 'caller')).toEqual([expect.stringContaining('MAX_JOB_SETS')]);
      const refusal = () => recorder.refusal(jobSetTag(jobSet(1)), 'caller');
      now.mockReturnValue(began + 9_999);
      expect(refusal()).toBeDefined();
      now.mockReturnValue(began + 10_000);
      expect(refusal()).toBeUndefined();
    } finally {
      now.mockRestore();
    }
  });

  it('refuses a job set to the caller that is at its limit alone: another has it followed, before and after that', async () => {
    const { recorder, queue, poll } = recorderWith({ maxNewJobSetsPerCaller: 1 });
    const tooMany = expect.stringContaining('MAX_NEW_JOB_SETS_PER_CALLER') as unknown;
    expect(await poll(0, 3, 'full')).toEqual([undefined, tooMany, tooMany]);
    expect(recorder.refusal(jobSetTag(jobSet(1)), 'another')).toBeUndefined();
    expect(await poll(1, 2, 'another')).toEqual([undefined]);
    expect(queue.enqueued.size).toBe(2);
    // It is followed now, so that there is nothing to refuse.
    expect(await poll(1, 3, 'full')).toEqual([undefined, tooMany]);
    // Both polls wait to be written together.
    recorder.record(jobSet(3), undefined, 'full');
    recorder.record(jobSet(3), undefined, 'a third');
    await recorder.flushed();
    expect(recorder.refusal(jobSetTag(jobSet(3)), 'full')).toBeUndefined();
    expect(queue.enqueued.size).toBe(3);
  });

  it('never refuses a job set that is followed already, whatever else its caller polled', async () => {
    for (let n = 0; n < 50; n++) await interest.record(jobSet(n));
    const { poll } = recorderWith({ maxNewJobSetsPerCaller: 1 });
    expect(await poll(100, 103, 'caller')).toEqual([
      undefined,
      ...Array<unknown>(2).fill(expect.any(String)),
    ]);
    const lastInterest = async (): Promise<number> => {
      for await (const page of interest.all()) {
        const of49 = page.find(({ key }) => key.jobSetId === jobSet(49).jobSetId);
        if (of49 !== undefined) return of49.lastInterestAt;
      }
      return NaN;
    };
    const before = await lastInterest();
    await eventually('a moment has passed', async () => ((await interest.age(jobSet(49))) ?? 0) > 10);
    expect(await poll(0, 50, 'caller')).toEqual(Array(50).fill(undefined));
    expect(await lastInterest()).toBeGreaterThan(before);
    // Nor does that give the caller what it has used up.
    expect(await poll(200, 201, 'caller')).toEqual([expect.any(String)]);
  }, 30_000);
});
