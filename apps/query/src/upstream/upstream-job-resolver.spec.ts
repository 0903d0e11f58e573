import { JobState } from '@ajs/contracts/api/submit';
import { ArmadaTime, JobId } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { status } from '@grpc/grpc-js';
import { UNRESTRICTED } from '../access/job-permissions.js';
import { ARMADA_UNAVAILABLE, FakeArmadaJobs } from '../jobs-api/testing/fake-armada-jobs.js';
import { ReportRecorder } from './report-recorder.js';
import { UpstreamJobResolver } from './upstream-job-resolver.js';

const KEY = { queue: 'q', jobSetId: 's' };
const [A, B] = [JobId('a'), JobId('b')];

let now: number;
let armada: FakeArmadaJobs;
let store: MemoryJobStore;
let recorder: ReportRecorder;
let resolver: UpstreamJobResolver;
let reports: number;
/** Job sets whose reports Redis does not take. */
let refused: Set<string>;

beforeEach(() => {
  [now, reports, refused] = [1_000, 0, new Set()];
  armada = new FakeArmadaJobs();
  store = new MemoryJobStore();
  recorder = new ReportRecorder({
    sink: {
      report: (key, jobs) => {
        reports++;
        if (refused.has(key.jobSetId)) return Promise.reject(new Error('Connection is closed.'));
        return store.report(key, jobs);
      },
    },
    noteInterest: () => undefined,
    redisFailed: () => undefined,
  });
  resolver = new UpstreamJobResolver({ recorder, now: () => now });
});

const stateOf = async (jobId: JobId) => (await store.read(KEY, [jobId])).jobs.get(jobId)?.state;

describe('a job that Armada’s api.Jobs resolves', () => {
  it('is owed to Redis where Redis did not take it, and only there', async () => {
    armada.add(A);
    armada.add(B, { jobset: 'refused' });
    refused.add('refused');
    await resolver.resolve([A, B], UNRESTRICTED, armada);
    expect(recorder.settle([A])).toBeUndefined();
    await expect(recorder.settle([B])).rejects.toThrow('Redis is unavailable');
  });

  it('is owed to Redis where it was answered without Redis', async () => {
    armada.add(A, { state: JobState.SUCCEEDED });
    await resolver.withoutRedis([A], UNRESTRICTED, armada);
    expect(await stateOf(A)).toBeUndefined();
    await recorder.settle([A]);
    expect(await stateOf(A)).toBe('SUCCEEDED');
  });

  it('is answered as Redis holds it, where that is further than what Armada reports', async () => {
    await store.report(KEY, new Map([[A, { state: 'SUCCEEDED', at: ArmadaTime(1) }]]));
    armada.add(A, { state: JobState.RUNNING });
    expect(await resolver.resolve([A], UNRESTRICTED, armada)).toEqual(new Map([[A, JobState.SUCCEEDED]]));
  });

  it('is asked for once a second without Redis, too, unless its spec is wanted', async () => {
    armada.add(A);
    const specs: boolean[] = [];
    const details = armada.details.bind(armada);
    armada.details = (jobIds, ...[wanted]: { readonly spec: boolean }[]) => {
      specs.push(wanted?.spec === true);
      return details(jobIds);
    };
    await resolver.withoutRedis([A], UNRESTRICTED, armada);
    await resolver.withoutRedis([A], UNRESTRICTED, armada);
    await resolver.withoutRedis([A], UNRESTRICTED, armada, { spec: true });
    expect(specs).toEqual([false, true]);
  });

  it('is recorded once a second, however many callers have it refreshed', async () => {
    armada.add(A);
    expect([...(await resolver.refresh([A], UNRESTRICTED, armada)).keys()]).toEqual([A]);
    now += 999;
    expect((await resolver.refresh([A], UNRESTRICTED, armada)).size).toBe(0);
    expect([reports, armada.calls.length]).toEqual([1, 1]);
    now += 1;
    expect((await resolver.refresh([A], UNRESTRICTED, armada)).size).toBe(1);
  });
});

describe('a job that Armada’s api.Jobs does not know', () => {
  it('is absent for a second without another call', async () => {
    expect((await resolver.resolve([A], UNRESTRICTED, armada)).size).toBe(0);
    armada.add(A);
    now += 999;
    expect((await resolver.resolve([A], UNRESTRICTED, armada)).size).toBe(0);
    expect(armada.calls).toHaveLength(1);
    now += 1;
    expect((await resolver.resolve([A], UNRESTRICTED, armada)).size).toBe(1);
  });

  it('is not absent where Redis has a record that cannot be read: the job exists', async () => {
    const unreadable = new Map([[A, 'a newer version wrote it']]);
    await expect(resolver.resolve([A], UNRESTRICTED, armada, unreadable)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      message: expect.stringContaining('a newer version wrote it') as string,
    });
  });
});

describe('while Armada’s api.Jobs does not answer', () => {
  beforeEach(() => {
    armada.failure = ARMADA_UNAVAILABLE;
  });

  it('a job that is cached keeps the state that is cached', async () => {
    expect((await resolver.refresh([A], UNRESTRICTED, armada)).size).toBe(0);
  });

  it.each<[string, JobId[], Map<JobId, string>, string]>([
    ['one job', [A], new Map(), 'cannot resolve job "a": not cached, and Armada\'s api.Jobs failed: '],
    ['several jobs', [A, B], new Map(), 'cannot resolve job "a" and 1 more: not cached, and '],
    ['a job whose record cannot be read', [A, B], new Map([[B, 'odd']]), 'job "b" and 1 more: odd, and '],
  ])('the error names %s, and says why', async (_, jobIds, unreadable, text) => {
    const error = await resolver.resolve(jobIds, UNRESTRICTED, armada, unreadable).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: status.UNAVAILABLE });
    const { message } = error as Error;
    expect(message).toContain(text);
    expect(message).toContain(ARMADA_UNAVAILABLE.reason);
    expect(message.endsWith('; upgrade the query replicas')).toBe(unreadable.size > 0);
  });

  it('the queue of a job cannot be found out', async () => {
    await expect(resolver.queuesOf([A], armada)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });
});
