import { UnknownQueues } from './unknown-queues.js';

describe('a queue that Armada does not know', () => {
  let now = 0;
  const queues = (): UnknownQueues => new UnknownQueues(() => now);

  it('is gone once it has not been there for 15 s, each for itself', () => {
    const unknown = queues();
    expect(unknown.isGone('q')).toBe(false);
    now += 14_999;
    expect(unknown.isGone('q')).toBe(false);
    expect(unknown.isGone('other')).toBe(false);
    now += 1;
    expect(unknown.isGone('q')).toBe(true);
    expect(unknown.isGone('other')).toBe(false);
  });

  it('starts anew where nobody asked for a minute: it may have been there meanwhile', () => {
    const unknown = queues();
    unknown.isGone('q');
    now += 60_000;
    expect(unknown.isGone('q')).toBe(false);
  });
});
