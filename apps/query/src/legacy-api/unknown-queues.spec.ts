import { UnknownQueues } from './unknown-queues.js';

describe('a queue that Armada does not know', () => {
  let now = 0;
  const queues = (): UnknownQueues => new UnknownQueues(() => now);

  const job = (jobId: string, queue = 'q') => ({ queue, jobSetId: 's', jobId });

  it('is gone once it has not been there for 15 s, each for itself', () => {
    const unknown = queues();
    expect(unknown.isGone(job('j'))).toBe(false);
    now += 14_999;
    expect(unknown.isGone(job('j'))).toBe(false);
    expect(unknown.isGone(job('j', 'other'))).toBe(false);
    now += 1;
    expect(unknown.isGone(job('j'))).toBe(true);
    expect(unknown.isGone(job('j', 'other'))).toBe(false);
  });

  it('starts anew where nobody asked for a minute: it may have been there meanwhile', () => {
    const unknown = queues();
    unknown.isGone(job('j'));
    now += 60_000;
    expect(unknown.isGone(job('j'))).toBe(false);
  });

  it('is not gone for a job that was submitted when it was there at last, though one server does not know it yet', () => {
    const unknown = queues();
    for (; now < 200_000; now += 5_000) unknown.isGone(job('asked for too early'));
    for (const other of [{ jobId: 'j' }, { jobSetId: 'another' }]) {
      expect(unknown.isGone({ ...job('asked for too early'), ...other })).toBe(false);
    }
    now += 9_999;
    expect(unknown.isGone(job('j'))).toBe(false);
    expect(unknown.isGone(job('asked for too early'))).toBe(true);
  });
});
