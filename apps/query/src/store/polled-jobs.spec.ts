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

  it('is empty at first, and begins anew once it was taken', () => {
    const polled = new PolledJobs();
    expect(polled.take().size).toBe(0);
    polled.add(view({ a: 'RUNNING' }));
    polled.take();
    expect(polled.take().size).toBe(0);
    polled.add(view({ b: 'RUNNING' }));
    expect([...polled.take().keys()]).toEqual(['b']);
  });

  it('has a hundred of them at the most, and each of those polled may be among them', () => {
    const places: number[] = [];
    // The last one is the place just behind the sample.
    const draws = [0, 0.5, 100.5 / 103];
    const polled = new PolledJobs(() => draws[places.push(0) - 1] ?? 0);
    polled.add(view(numbered(0, 100)));
    expect(places).toHaveLength(0);
    polled.add(view(numbered(100, 103)));
    const sample = [...polled.take().keys()];
    expect(sample).toHaveLength(100);
    // The first draw takes the first place, the second one in the middle, and the last none.
    expect(sample[0]).toBe('job-100');
    expect(sample[50]).toBe('job-50');
    expect(sample[51]).toBe('job-101');
    expect(sample).not.toContain('job-102');
  });
});
