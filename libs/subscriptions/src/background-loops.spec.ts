import type { RedisClient } from '@ajs/job-store';
import { LoopProgress } from '@ajs/platform';
import { RedisKeys } from '@ajs/redis-keys';
import { ManualClock, eventually } from '@ajs/testing';
import { RollbackDetector } from './assignment/rollback-detector.js';
import { Sweeper } from './assignment/sweeper.js';
import { WatchBudget } from './budget/watch-budget.js';

const ignore = (): void => undefined;
const MAX_ROUND_MS = 20_000;

/** A Redis that answers, hangs or fails, as a test says. */
class ScriptedRedis {
  private failure: Error | undefined;
  private hanging: { readonly answered: Promise<void>; readonly answer: () => void } | undefined;
  calls = 0;

  hang(): void {
    let answer = ignore;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    this.hanging = { answered, answer };
  }

  fail(failure: Error): void {
    this.failure = failure;
  }

  heal(): void {
    this.failure = undefined;
    this.hanging?.answer();
    this.hanging = undefined;
  }

  async answer<T>(reply: T): Promise<T> {
    this.calls++;
    await this.hanging?.answered;
    if (this.failure !== undefined) throw this.failure;
    return reply;
  }
}

interface RunningLoop {
  readonly progress: LoopProgress;
  /** Where rounds do not come by themselves. */
  readonly round?: () => unknown;
  readonly stop: () => unknown;
}

const LOOPS: Readonly<Record<string, (redis: ScriptedRedis, clock: ManualClock) => RunningLoop>> = {
  'the sweeper': (redis, clock) => {
    const sweeper = new Sweeper({
      redis: { set: () => redis.answer(null), ownKeys: new RedisKeys() } as unknown as RedisClient,
      replicaId: 'a',
      interest: undefined as never,
      life: undefined as never,
      workQueue: undefined as never,
      lifetime: undefined as never,
      lister: undefined as never,
      onSwept: ignore,
      onError: ignore,
      progress: new LoopProgress(MAX_ROUND_MS, () => clock.monotonic()),
    });
    sweeper.start(5);
    return { progress: sweeper.progress, stop: () => sweeper.stop() };
  },
  'the rollback detector': (redis, clock) => {
    let count = 0;
    const detector = new RollbackDetector(
      { set: () => redis.answer(`${++count}`), ownKeys: new RedisKeys() } as unknown as RedisClient,
      'a',
      ignore,
      ignore,
      new LoopProgress(MAX_ROUND_MS, () => clock.monotonic()),
    );
    detector.start();
    return { progress: detector.progress, round: () => detector.check(), stop: () => detector.close() };
  },
  'the share of the watches': (redis, clock) => {
    const watches = new WatchBudget({
      redis: {
        defineCommand: ignore,
        holdWatches: () => redis.answer([0, 0, 0, '0', '0']),
        hdel: () => Promise.resolve(1),
        ownKeys: new RedisKeys(),
      } as unknown as RedisClient,
      replicaId: 'a',
      budget: 1,
      onError: ignore,
      now: () => clock.monotonic(),
    });
    watches.start();
    return { progress: watches.progress, stop: () => watches.leave() };
  },
};

describe.each(Object.entries(LOOPS))('%s', (_, begin) => {
  let redis: ScriptedRedis;
  let clock: ManualClock;
  let loop: RunningLoop;

  beforeEach(() => {
    redis = new ScriptedRedis();
    clock = new ManualClock();
    loop = begin(redis, clock);
  });
  afterEach(async () => {
    redis.heal();
    await loop.stop();
  });

  const standsStill = (): Promise<string> =>
    eventually('it stands still', () => {
      void loop.round?.();
      clock.advance(1_000);
      return loop.progress.standstill;
    });
  const goesOn = (): Promise<unknown> =>
    eventually('it goes on', () => {
      void loop.round?.();
      return loop.progress.standstill === undefined;
    });

  it('does not stand still while Redis answers', async () => {
    clock.advance(60_000);
    await goesOn();
  });

  it('stands still while Redis does not answer, and heals', async () => {
    redis.hang();
    expect(await standsStill()).toMatch(/^no progress for \d\d s$/);
    redis.heal();
    await goesOn();
  });

  it('does not stand still once it is stopped', async () => {
    await loop.stop();
    clock.advance(60_000);
    expect(loop.progress.standstill).toBeUndefined();
  });

  it('stands still while Redis fails, and says why', async () => {
    redis.fail(new Error('connection refused'));
    await eventually('the reason is reported', () => {
      void loop.round?.();
      clock.advance(1_000);
      return loop.progress.standstill?.endsWith(': connection refused');
    });
    redis.heal();
    await goesOn();
  });
});
