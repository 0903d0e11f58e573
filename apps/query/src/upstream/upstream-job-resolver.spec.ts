import { JobState } from '@ajs/contracts/api/submit';
import { JobId } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { status } from '@grpc/grpc-js';
import { UNRESTRICTED } from '../access/job-permissions.js';
import { FakeArmadaJobs } from '../jobs-api/testing/fake-armada-jobs.js';
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

  it('is owed to Redis where it was told without Redis', async () => {
    armada.add(A, { state: JobState.SUCCEEDED });
    await resolver.withoutRedis([A], UNRESTRICTED, armada);
    expect(await stateOf(A)).toBeUndefined();
    await recorder.settle([A]);
    expect(await stateOf(A)).toBe('SUCCEEDED');
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
