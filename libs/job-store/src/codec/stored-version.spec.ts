import { Generation } from '@ajs/redis-keys';
import type { StoredJob } from './stored-job.js';
import { StoredVersion } from './stored-version.js';

const GENERATION = Generation('g');
const stored: StoredJob = {
  record: Buffer.from([0, 128, 255]),
  failureDetails: Buffer.from('details'),
  enrichment: Buffer.from('enrichment'),
};

it('is seen again for as long as nothing of what is stored of the job changes, nor the meaning of its numbers', () => {
  const version = StoredVersion.of(GENERATION, stored);
  const isSeen = (of: Partial<StoredJob>, generation = GENERATION): boolean =>
    StoredVersion.isSeen(version, generation, { ...stored, ...of });
  expect(isSeen({ record: Buffer.from([0, 128, 255]) })).toBe(true);
  expect(isSeen({ record: Buffer.from([0, 128, 254]) })).toBe(false);
  expect(isSeen({ failureDetails: Buffer.from('others') })).toBe(false);
  expect(isSeen({ failureDetails: undefined })).toBe(false);
  expect(isSeen({ enrichment: Buffer.from('other') })).toBe(false);
  expect(isSeen({ enrichment: undefined })).toBe(false);
  expect(isSeen({}, Generation('other'))).toBe(false);
  expect(StoredVersion.isSeen(undefined, GENERATION, stored)).toBe(false);
});
