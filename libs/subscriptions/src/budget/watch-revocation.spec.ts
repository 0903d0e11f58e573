import { jest } from '@jest/globals';
import type { RedisClient } from '@ajs/job-store';
import { RedisKeys } from '@ajs/redis-keys';
import { AssignmentId } from './assignment-id.js';
import { COLD, HOTTEST, WARM, type Heat } from './heat.js';
import { WatchBudget } from './watch-budget.js';

const HOT: Heat = 12;

/** As many numbers as there are heats, for each heat from the coldest on. */
const byHeat = (count: (heat: Heat) => number): string =>
  Array.from({ length: HOTTEST + 1 }, (_, heat) => count(heat)).join(' ');

/** What a replica is answered: all that it claims is granted, and this is how things stand. */
interface Standing {
  /** Watches of the budget that nobody holds; below 0 so many are too many. */
  readonly free: number;
  readonly otherReplicas: number;
  /** How many job sets of each heat wait for a watch, here and elsewhere. */
  readonly waiting: Readonly<Record<Heat, number>>;
}

/** A replica that holds watches of job sets this hot, which it does not close when they are revoked; seconds pass when a test says so. */
async function holding(...heats: readonly Heat[]) {
  let standing: Standing = { free: 0, otherReplicas: 0, waiting: {} };
  const holdWatches = (): Promise<unknown[]> => {
    const { free, otherReplicas, waiting } = standing;
    return Promise.resolve([free, otherReplicas, 0, byHeat(() => 99), byHeat((heat) => waiting[heat] ?? 0)]);
  };
  const redis = { defineCommand: () => undefined, holdWatches, ownKeys: new RedisKeys() };
  const timers = jest.spyOn(globalThis, 'setInterval').mockReturnValueOnce(undefined as never);
  const watches = new WatchBudget({
    redis: redis as unknown as RedisClient,
    replicaId: 'a',
    budget: 100,
    onError: (error) => {
      throw error;
    },
  });
  watches.start();
  const [second] = timers.mock.calls[0] ?? [];
  timers.mockRestore();
  const revoked: string[] = [];
  for (const [n, heat] of heats.entries()) {
    const name = `${n}: ${heat}`;
    await watches.claim(AssignmentId(name), { heat: () => heat, revoke: () => void revoked.push(name) });
  }
  /** Lets a second pass in which this is how things stand. */
  const pass = async (next: Standing): Promise<readonly string[]> => {
    standing = next;
    (second as () => void)();
    await new Promise((resolve) => setImmediate(resolve));
    return revoked;
  };
  return pass;
}

const ALONE = { free: 0, otherReplicas: 0 };

describe('the watches that a replica gives up', () => {
  it('are its coldest', async () => {
    const pass = await holding(WARM, COLD);
    expect(await pass({ ...ALONE, waiting: { [HOT]: 1 } })).toEqual(['1: 0']);
  });

  it('are as many as wait, whatever degrees these are of, less what is free', async () => {
    const pass = await holding(COLD, COLD, COLD, COLD);
    const waiting = { [HOT]: 2, [HOT + 1]: 2 };
    expect(await pass({ ...ALONE, free: 2, waiting })).toHaveLength(2);
    expect(await pass({ ...ALONE, free: 1, waiting })).toHaveLength(3);
  });

  it('are those of much colder job sets alone: to which nothing happens, for one that is warm', async () => {
    const pass = await holding(COLD, WARM - 1);
    expect(await pass({ ...ALONE, waiting: { [WARM - 1]: 2 } })).toEqual([]);
    expect(await pass({ ...ALONE, waiting: { [WARM]: 2 } })).toEqual(['0: 0']);
  });

  it('are its part of what all replicas give up, and each is revoked once', async () => {
    const pass = await holding(COLD, COLD, COLD, COLD);
    const standing = { free: 0, otherReplicas: 1, waiting: { [HOT]: 3 } };
    for (let second = 0; second < 3; second++) expect(await pass(standing)).toEqual(['0: 0', '1: 0']);
  });

  it('are its part of those above the budget, where others were granted them, however hot they are', async () => {
    const pass = await holding(HOTTEST, HOTTEST, HOTTEST, HOTTEST);
    expect(await pass({ free: 0, otherReplicas: 1, waiting: {} })).toEqual([]);
    expect(await pass({ free: -3, otherReplicas: 1, waiting: {} })).toEqual(['0: 27', '1: 27']);
  });
});
