import { oldGenerationGrowth } from '@ajs/testing';
import fc from 'fast-check';
import { FairShares } from './fair-shares.js';

const takenBy = (shares: FairShares, who: string): number => {
  let taken = 0;
  while (shares.take(who)) taken++;
  return taken;
};

describe('the shares of a pool', () => {
  it('give a lone caller three quarters of it, and each of two busy ones three sevenths', () => {
    expect(takenBy(new FairShares(700), 'a')).toBe(525);
    const shares = new FairShares(700);
    while (shares.take('a') && shares.take('b'));
    expect(shares.free).toBe(100);
  });

  it('pass from a caller that had most of it to one that came later', () => {
    const shares = new FairShares(700);
    takenBy(shares, 'a');
    let taken = 0;
    for (let i = 0; i < 700; i++) {
      shares.release('a');
      shares.take('a');
      if (shares.take('b')) taken++;
    }
    expect([taken, shares.free]).toEqual([300, 100]);
  });

  it('give the last one to a caller that has none, and not to one that has some', () => {
    const shares = new FairShares(3);
    expect(takenBy(shares, 'a')).toBe(2);
    expect(takenBy(shares, 'b')).toBe(1);
    expect(shares.take('c')).toBe(false);
    shares.release('a');
    expect([shares.take('a'), shares.take('b'), shares.take('c')]).toEqual([false, false, true]);
  });

  it('never add up to more than the pool, leave one for a newcomer, and come back when they are released', () => {
    const step = fc.record({
      who: fc.constantFrom('a', 'b', 'c'),
      amount: fc.integer({ min: 1, max: 40 }),
      takes: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const shares = new FairShares(capacity);
        const held: { who: string; amount: number }[] = [];
        const heldBy = (who: string): number =>
          held.reduce((sum, one) => sum + (one.who === who ? one.amount : 0), 0);
        for (const { who, amount, takes } of steps) {
          const before = heldBy(who);
          if (!takes) {
            const last = held.pop();
            if (last !== undefined) shares.release(last.who, last.amount);
          } else if (shares.take(who, amount)) {
            held.push({ who, amount });
            // Whoever takes more than its first leaves something to the next one.
            if (before > 0) expect(shares.free).toBeGreaterThan(0);
          } else if (before === 0) {
            expect(amount).toBeGreaterThan(shares.free);
          }
          const sum = held.reduce((total, one) => total + one.amount, 0);
          expect(shares.free).toBe(capacity - sum);
          expect(shares.free).toBeGreaterThanOrEqual(0);
          if (shares.free > 0) {
            expect(shares.take('newcomer')).toBe(true);
            shares.release('newcomer');
          }
        }
        for (const { who, amount } of held) shares.release(who, amount);
        expect(takenBy(shares, 'a')).toBe(takenBy(new FairShares(capacity), 'a'));
      }),
    );
  });

  it('can be overdrawn for work that is half done, and are given to nobody until that is released', () => {
    const shares = new FairShares(1);
    shares.takeAnyway('a');
    shares.takeAnyway('b');
    expect([shares.free, shares.take('c')]).toEqual([-1, false]);
    shares.release('a');
    expect(shares.take('c')).toBe(false);
    shares.release('b');
    expect(shares.take('c')).toBe(true);
  });

  it('cannot be released without having been taken', () => {
    const shares = new FairShares(2);
    expect(() => shares.release('a')).toThrow('more was released than was taken');
    shares.take('a');
    expect(() => shares.release('a', 2)).toThrow('more was released than was taken');
    expect(shares.free).toBe(1);
  });
});

describe('what is remembered of callers', () => {
  const CALLS = 10_000;

  it('leaves nothing in memory with each call of one that makes a call at a time', async () => {
    const shares = new FairShares(10);
    const pass = (): void => {
      for (let n = 0; n < CALLS; n++) {
        shares.take('a');
        shares.release('a');
      }
    };
    expect(await oldGenerationGrowth(pass)).toBeLessThan(15_000_000);
  });

  it('is forgotten of all but a few that hold nothing', async () => {
    const shares = new FairShares(10);
    let callers = 0;
    const pass = (): void => {
      for (let n = 0; n < CALLS; n++) {
        const who = `${'a certificate '.repeat(20)}${callers++}`;
        shares.take(who);
        shares.release(who);
      }
    };
    expect(await oldGenerationGrowth(pass)).toBeLessThan(15_000_000);
  });

  it('stays of those that hold something, however many come and go', () => {
    const shares = new FairShares(20_000);
    expect(shares.take('a', 1_000)).toBe(true);
    for (let n = 0; n < CALLS; n++) {
      expect(shares.take(`caller ${n}`)).toBe(true);
      shares.release(`caller ${n}`);
    }
    shares.release('a', 1_000);
    expect(shares.free).toBe(20_000);
    expect(() => shares.release('a')).toThrow('more was released than was taken');
  });
});
