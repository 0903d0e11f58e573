import { MemoryJobStore } from '@ajs/job-store/testing';
import { Cursor, JobId, ArmadaTime, type JobRecord, type JobSetKey } from '@ajs/job-state';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CoalescedLister } from './coalesced-lister.js';
import { fromRedis } from './redis-read.js';

const KEY = { queue: 'q', jobSetId: 's' };

async function setUp(redisReplies: () => Promise<void> = () => Promise.resolve()) {
  const store = new MemoryJobStore();
  const writer = await store.open(KEY);
  const record = { state: 'RUNNING', runNumber: 1, changedAt: ArmadaTime(1) } as const;
  await writer.write({
    cursor: Cursor('1:0:0:1'),
    records: new Map<JobId, JobRecord>([
      [JobId('a'), record],
      [JobId('b'), { ...record, externalUri: 'airflow://1' }],
    ]),
    subscription: { state: 'live', reason: '' },
  });
  const reads: string[][] = [];
  const told: string[][] = [];
  const lister = new CoalescedLister(
    {
      read: async (key: JobSetKey, jobIds) => {
        reads.push([key.jobSetId, ...jobIds]);
        await redisReplies();
        return jobIds.includes(JobId('broken'))
          ? Promise.reject(new Error('Connection is closed.'))
          : store.read(key, jobIds);
      },
      locate: (jobIds) => store.locate(jobIds),
      readDetails: (key, jobIds) => store.readDetails(key, jobIds),
      readUri: (key, uri) => store.readUri(key, uri),
    },
    ({ jobs }) => told.push([...jobs.keys()]),
  );
  return { lister, reads, told };
}

describe('reads of one moment', () => {
  it('are one read of a job set, and each is answered', async () => {
    const { lister, reads } = await setUp();
    const jobIds = ['a', 'b', 'a', 'absent'].map(JobId);
    const views = await Promise.all(jobIds.map((jobId) => lister.read(KEY, [jobId])));
    expect(reads).toEqual([['s', 'a', 'b', 'absent']]);
    expect(views.map(({ jobs }, i) => jobs.has(jobIds[i] ?? JobId('')))).toEqual([true, true, true, false]);
  });

  it('are reported once, with what they brought', async () => {
    const { lister, told } = await setUp();
    await Promise.all(['a', 'b', 'a', 'absent'].map((jobId) => lister.read(KEY, [JobId(jobId)])));
    await expect(lister.read(KEY, [JobId('broken')])).rejects.toThrow();
    expect(told).toEqual([['a', 'b']]);
  });

  it('are not coalesced for different job sets, nor with a later read', async () => {
    const { lister, reads } = await setUp();
    await Promise.all([lister.read(KEY, [JobId('a')]), lister.read({ ...KEY, jobSetId: 't' }, [JobId('a')])]);
    await lister.read(KEY, [JobId('a')]);
    expect(reads).toEqual([
      ['s', 'a'],
      ['t', 'a'],
      ['s', 'a'],
    ]);
  });

  it('are not coalesced with a read that is under way: it may have seen what was before the request', async () => {
    const replies: (() => void)[] = [];
    const { lister, reads } = await setUp(() => new Promise((resolve) => replies.push(resolve)));
    const views = [lister.read(KEY, [JobId('a')])];
    await nextTurn();
    views.push(lister.read(KEY, [JobId('a')]));
    await nextTurn();
    expect(reads).toEqual([
      ['s', 'a'],
      ['s', 'a'],
    ]);
    for (const reply of replies) reply();
    await Promise.all(views);
  });

  it('are split into reads of a bounded size', async () => {
    const { lister, reads } = await setUp();
    await Promise.all(Array.from({ length: 450 }, (_, i) => lister.read(KEY, [JobId(`j${i}`)])));
    expect(reads.map((read) => read.length - 1)).toEqual([200, 200, 50]);
  });

  it('are one read for all who request the same jobs, however many these are', async () => {
    const { lister, reads } = await setUp();
    const [all, others] = ['j', 'k'].map((name) =>
      Array.from({ length: 450 }, (_, i) => JobId(`${name}${i}`)),
    );
    await Promise.all(
      [all, all?.slice(0, 1), all?.toReversed(), others].map((some = []) => lister.read(KEY, some)),
    );
    expect(reads).toEqual([
      ['s', ...(all ?? [])],
      ['s', ...(others ?? [])],
    ]);
  });

  it('fail together with what Redis lacks, and the next read is a new one', async () => {
    const { lister } = await setUp();
    const views = [lister.read(KEY, [JobId('broken')]), lister.read(KEY, [JobId('a')])];
    const failed = { kind: 'unavailable', cause: new Error('Connection is closed.') };
    for (const view of views) await expect(view).rejects.toMatchObject(failed);
    // Who reads from any lister marks errors, too.
    await expect(fromRedis(lister.read(KEY, [JobId('broken')]))).rejects.toMatchObject(failed);
    expect((await lister.read(KEY, [JobId('a')])).jobs.has(JobId('a'))).toBe(true);
  });
});

it('other reads are answered as by the store itself', async () => {
  const { lister } = await setUp();
  expect([...(await lister.locate([JobId('a'), JobId('absent')])).keys()]).toEqual(['a']);
  expect([...(await lister.readDetails(KEY, [JobId('a')])).jobs.keys()]).toEqual(['a']);
  expect(await lister.readUri(KEY, 'airflow://1')).toEqual({ submitted: [], annotated: ['b'] });
});
