import { UnknownQueues } from './unknown-queues.js';

describe('a queue that does not exist in Armada', () => {
  let now = 0;
  const queues = (): UnknownQueues => new UnknownQueues(() => now);

  const job = (jobId: string, queue = 'q') => ({ queue, jobSetId: 's', jobId });

  it('is gone once it has not existed for 15 s, each queue by itself', () => {
    const unknown = queues();
    expect(unknown.isGone(job('j'), 'caller')).toBe(false);
    now += 14_999;
    expect(unknown.isGone(job('j'), 'caller')).toBe(false);
    expect(unknown.isGone(job('j', 'other'), 'caller')).toBe(false);
    now += 1;
    expect(unknown.isGone(job('j'), 'caller')).toBe(true);
    expect(unknown.isGone(job('j', 'other'), 'caller')).toBe(false);
  });

  it('is not gone where the job was not polled for a minute: the queue may have existed meanwhile', () => {
    const unknown = queues();
    unknown.isGone(job('j'), 'caller');
    now += 60_000;
    expect(unknown.isGone(job('j'), 'caller')).toBe(false);
  });

  it('is not gone for a job submitted after it was created, though one server does not know it yet', () => {
    const unknown = queues();
    for (; now < 200_000; now += 5_000) unknown.isGone(job('polled too early'), 'caller');
    for (const other of [{ jobId: 'j' }, { jobSetId: 'another' }]) {
      expect(unknown.isGone({ ...job('polled too early'), ...other }, 'caller')).toBe(false);
    }
    now += 9_999;
    expect(unknown.isGone(job('j'), 'caller')).toBe(false);
    expect(unknown.isGone(job('polled too early'), 'caller')).toBe(true);
  });

  it('is gone for one caller whatever another polls meanwhile', () => {
    const unknown = queues();
    unknown.isGone(job('j'), 'caller');
    for (let i = 0; i < 60_000; i++) unknown.isGone(job(`${i}`), 'flood');
    now += 15_000;
    expect(unknown.isGone(job('j'), 'caller')).toBe(true);
  });

  it('stays gone while the job is polled, however long', () => {
    const unknown = queues();
    for (let ms = 0; ms < 200_000; ms += 5_000, now += 5_000) {
      expect(unknown.isGone(job('j'), 'caller')).toBe(ms >= 15_000);
    }
  });
});
