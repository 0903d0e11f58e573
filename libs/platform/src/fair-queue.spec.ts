import { FairQueue } from './fair-queue.js';

const drained = (queue: FairQueue<string>): string[] => {
  const items: string[] = [];
  for (let item = queue.next(); item !== undefined; item = queue.next()) items.push(item);
  return items;
};

describe('a fair queue', () => {
  it('gives the callers turns, and each its items in the order they came', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'a4', 'c1', 'b2']) queue.add(item.slice(0, 1), item);
    expect(drained(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
    expect(queue.next()).toBeUndefined();
  });

  it('serves a caller that comes late within one turn of each other', () => {
    const queue = new FairQueue<string>();
    for (let i = 0; i < 1_000; i++) queue.add('a', `a${i}`);
    expect(queue.next()).toBe('a0');
    queue.add('b', 'b0');
    expect([queue.next(), queue.next(), queue.next()]).toEqual(['a1', 'b0', 'a2']);
  });
});
