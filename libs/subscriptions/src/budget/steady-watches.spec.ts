import { jest } from '@jest/globals';
import { MonotonicTime, addMs, toMs } from '@ajs/job-state';
import { createRedisClient, type RedisClient } from '@ajs/job-store';
import { RedisServer } from '@ajs/testing';
import { EventRate } from '../sync/event-rate.js';
import { AssignmentId } from './assignment-id.js';
import { heatOf, type Heat } from './heat.js';
import { ReadSchedule } from './read-schedule.js';
import { WatchBudget, type WatchClaimant } from './watch-budget.js';

const JOB_SETS = 3_000;
const BUSY = 50;
const BUDGET = 200;
/** What a replica of its own plans of 200. */
const READS_PER_SECOND = 190;
const POLLED_EVERY_MS = 10_000;
/** Each job set has been read again by then, and claimed a watch where it is busy. */
const SETTLED_AFTER_S = 40;

let server: RedisServer;
let redis: RedisClient;
let now = MonotonicTime(0);

beforeAll(async () => {
  server = await RedisServer.start();
  redis = createRedisClient({ kind: 'single', url: server.url }, 'writer', () => undefined);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** A job set with an unfinished job, polled all the time. What happens to it shows when it is read, or at once while it is watched. */
class PolledJobSet implements WatchClaimant {
  isWatched = false;
  private readonly rate = new EventRate(undefined, now);
  private unread = 0;

  constructor(
    readonly assignmentId: AssignmentId,
    readonly revoke: () => void,
  ) {}

  addEvent(): void {
    this.unread++;
    if (this.isWatched) this.read();
  }

  read(): void {
    for (; this.unread > 0; this.unread--) this.rate.count();
  }

  heat(): Heat {
    const eventsPerMinute = this.rate.at(now);
    return heatOf({ pollAge: 0, pollsPerMinute: 60_000 / POLLED_EVERY_MS, eventsPerMinute, unfinished: 1 });
  }
}

/** A replica whose seconds pass when {@link pass} says so. In each it announces itself, and reads the job sets that are due. */
class Replica {
  readonly jobSets: readonly PolledJobSet[];
  watchesGranted = 0;
  private readonly readAt = new Map<PolledJobSet, MonotonicTime>();
  private readonly budget = new WatchBudget({
    redis,
    replicaId: 'a',
    budget: BUDGET,
    onError: (error) => {
      throw error;
    },
    now: () => now,
  });
  private readonly schedule = new ReadSchedule({
    minIntervalMs: 2_000,
    maxIntervalMs: 60_000,
    perSecond: () => READS_PER_SECOND,
    now: () => toMs(now),
  });
  private readonly announce: () => void;

  constructor() {
    const timers = jest.spyOn(globalThis, 'setInterval').mockReturnValueOnce(undefined as never);
    this.budget.start();
    this.announce = timers.mock.calls[0]?.[0] as () => void;
    timers.mockRestore();
    this.jobSets = Array.from({ length: JOB_SETS }, (_, n) => {
      const jobSet: PolledJobSet = new PolledJobSet(AssignmentId(`${n}`), () => this.revoke(jobSet));
      return jobSet;
    });
    for (const jobSet of this.jobSets) this.readLater(jobSet, 0);
  }

  async pass(seconds: number, busy: readonly PolledJobSet[]): Promise<void> {
    for (; seconds > 0; seconds--) {
      now = addMs(now, 1_000);
      for (const jobSet of busy) jobSet.addEvent();
      this.announce();
      const due = Array.from(this.readAt).flatMap(([jobSet, at]) => (at <= now ? [jobSet] : []));
      await Promise.all(due.map((jobSet) => this.read(jobSet)));
    }
  }

  leave(): Promise<void> {
    return this.budget.leave();
  }

  private async read(jobSet: PolledJobSet): Promise<void> {
    this.readAt.delete(jobSet);
    jobSet.read();
    jobSet.isWatched = await this.budget.claim(jobSet.assignmentId, jobSet);
    if (jobSet.isWatched) this.watchesGranted++;
    else this.readLater(jobSet, this.schedule.next(POLLED_EVERY_MS / 2, jobSet.heat()));
  }

  private readLater(jobSet: PolledJobSet, inMs: number): void {
    this.readAt.set(jobSet, addMs(now, inMs));
  }

  private revoke(jobSet: PolledJobSet): void {
    jobSet.isWatched = false;
    this.budget.release(jobSet.assignmentId);
    this.readLater(jobSet, 0);
  }
}

it('watches stay with the busiest job sets, and move once when others become as busy', async () => {
  const replica = new Replica();
  const watched = (jobSets: readonly PolledJobSet[]): number =>
    jobSets.filter(({ isWatched }) => isWatched).length;
  try {
    for (const busy of [replica.jobSets.slice(-BUSY), replica.jobSets.slice(-2 * BUSY, -BUSY)]) {
      await replica.pass(SETTLED_AFTER_S, busy);
      expect(watched(busy)).toBe(BUSY);
      expect(watched(replica.jobSets)).toBe(BUDGET);
      const before = replica.watchesGranted;
      await replica.pass(60, busy);
      expect(replica.watchesGranted - before).toBe(0);
    }
  } finally {
    await replica.leave();
  }
});
