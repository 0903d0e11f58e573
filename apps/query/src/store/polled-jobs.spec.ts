import { ArmadaTime, JobId, type JobState } from '@ajs/job-state';
import type { SubscriptionState } from '@ajs/job-store';
import { PolledJobs } from './polled-jobs.js';

function view(states: Readonly<Record<string, JobState>>, state: SubscriptionState = 'live') {
  const jobs = Object.entries(states).map(
    ([jobId, of]) => [JobId(jobId), { state: of, changedAt: ArmadaTime(0) }] as const,
  );
  return { subscription: { state, reason: '' }, jobs: new Map(jobs) };
}
const numbered = (from: number, to: number) =>
  Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`job-${from + i}`, 'RUNNING' as const]));

describe('a sample of polled jobs', () => {
  it('has the unfinished ones of live job sets, each with its latest state', () => {
    const polled = new PolledJobs();
    polled.add(view({ a: 'QUEUED', b: 'RUNNING', ended: 'SUCCEEDED' }));
    polled.add(view({ a: 'RUNNING' }));
    polled.add(view({ other: 'RUNNING' }, 'stalled'));
    polled.add({ jobs: view({ unread: 'RUNNING' }).jobs });
    expect(Object.fromEntries(polled.take())).toEqual({ a: 'RUNNING', b: 'RUNNING' });
  });

  it('is empty at first, and again once it was taken', () => {
    const polled = new PolledJobs();
    expect(polled.take().size).toBe(0);
    polled.add(view({ a: 'RUNNING' }));
    polled.take();
    expect(polled.take().size).toBe(0);
    polled.add(view({ b: 'RUNNING' }));
    expect([...polled.take().keys()]).toEqual(['b']);
  });

  it('has a hundred of them at the most, and of each further read any one or none', () => {
    const draws: number[] = [];
    const polled = new PolledJobs(() => draws.shift() ?? NaN);
    const addDrawing = (from: number, ...drawn: number[]): void => {
      draws.push(...drawn);
      polled.add(view(numbered(from, from + 50)));
      expect(draws).toEqual([]);
    };
    polled.add(view(numbered(0, 10_000)));
    addDrawing(20_000, 0.49, 0, 0); // the first place, the first of the read
    addDrawing(30_000, 0.49, 0.995, 0.99); // the last place, the last of the read
    // None: there have been 10,150 jobs, for 100 places, and the read has 50.
    addDrawing(40_000, (100 * 50) / 10_150);
    const sample = [...polled.take().keys()];
    expect(sample).toHaveLength(100);
    expect([sample[0], sample[99]]).toEqual(['job-20000', 'job-30049']);
    expect(sample.slice(1, 99)).toEqual(Object.keys(numbered(1, 99)));
  });

  it('is as likely to have a job however many were polled before it was last taken', () => {
    const draws = [0.9, 0, 0];
    const polled = new PolledJobs(() => draws.shift() ?? NaN);
    polled.add(view(numbered(0, 10_000)));
    polled.take();
    polled.add(view(numbered(0, 100)));
    polled.add(view(numbered(20_000, 20_050)));
    expect([...polled.take().keys()][0]).toBe('job-20000');
  });

  it('has no job that has ended in the place of one that has not', () => {
    const polled = new PolledJobs(() => 0);
    polled.add(view(numbered(0, 100)));
    polled.add(view({ ended: 'SUCCEEDED' }));
    expect([...polled.take().keys()]).not.toContain('ended');
  });
});
