import { Generation } from '@ajs/redis-keys';
import type { JobId } from '@ajs/job-state';
import { unpackJobId } from '../codec/job-id-codec.js';
import { ByteReader } from '../codec/varints.js';
import type { StoredJob } from '../redis/stored-job.js';

/** A notice as `publish` of writing.lua sends it. */
export interface SentNotice {
  readonly generation: Generation;
  readonly previous: number;
  readonly revision: number;
  /** Left out where they are too much to be sent. */
  readonly jobs?: readonly (readonly [jobId: JobId, stored: StoredJob])[];
}

const FORMAT = 1;

/** `undefined` for the format of another version: as good as a notice that is lost. */
export function readNotice(message: Buffer): SentNotice | undefined {
  const reader = new ByteReader(message);
  if (reader.byte() !== FORMAT) return undefined;
  const isWhole = reader.byte() === 1;
  const sized = (): Buffer => reader.bytes(reader.unsigned());
  const unlessEmpty = (bytes: Buffer): Buffer | undefined => (bytes.length === 0 ? undefined : bytes);
  const position = {
    generation: Generation(sized().toString()),
    previous: reader.unsigned(),
    revision: reader.unsigned(),
  };
  if (!isWhole) return position;
  const jobs: [JobId, StoredJob][] = [];
  while (!reader.isAtEnd) {
    const jobId = unpackJobId(sized());
    const record = sized();
    jobs.push([jobId, { record, failureDetails: unlessEmpty(sized()), enrichment: unlessEmpty(sized()) }]);
  }
  return { ...position, jobs };
}
