import { JobId, type JobSetKey } from '@ajs/job-state';
import type { JobVersion } from '@ajs/job-store';
import { oldGenerationGrowth } from '@ajs/testing';
import { CoalescedReads } from './coalesced-reads.js';

const KEY = { queue: 'q', jobSetId: 's' };
const [A, B] = [JobId('a'), JobId('b')];
const [V1, V2] = [{ size: 1 }, { size: 2 }] as [JobVersion, JobVersion];

it('takes a job for seen only where all that read it have seen the same of it', async () => {
  const reads: [JobSetKey, ...(readonly [JobId, JobVersion | undefined])[]][] = [];
  const coalesced = new CoalescedReads((key, jobs) => {
    reads.push([key, ...jobs]);
    return Promise.resolve(jobs);
  });
  const read = async (...all: [JobId[], (JobVersion | undefined)[]?][]): Promise<unknown> => {
    await Promise.all(all.map(([jobIds, seen]) => coalesced.read(KEY, jobIds, seen)));
    return reads.pop()?.slice(1);
  };
  const same = [A, V1];
  const different = [A, undefined];
  expect(await read([[A], [V1]], [[A], [V1]])).toEqual([same]);
  expect(await read([[A], [V1]], [[A], [V2]])).toEqual([different]);
  expect(await read([[A], [V1]], [[A]])).toEqual([different]);
  expect(await read([[A]], [[A], [V1]])).toEqual([different]);
  expect(await read([[A], [V1]], [[A], [V2]], [[A], [V1]])).toEqual([different]);
  expect(
    await read(
      [
        [A, B],
        [V1, V2],
      ],
      [[B]],
      [[A], [V1]],
    ),
  ).toEqual([same, [B, undefined]]);
});

it('reads that are over are collected while they are young', async () => {
  const coalesced = new CoalescedReads(() => Promise.resolve());
  const pass = async (): Promise<void> => {
    for (let n = 0; n < 500; n++) {
      const jobIds = Array.from({ length: 100 }, (_, job) => JobId(`${n} ${job}`));
      await coalesced.read({ ...KEY, jobSetId: `s${n}` }, jobIds);
    }
  };
  // Of some 100 MB.
  expect(await oldGenerationGrowth(pass)).toBeLessThan(30_000_000);
});
