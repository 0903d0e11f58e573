import { Generation } from '@ajs/redis-keys';
import { ByteReader } from '../codec/varints.js';
import { listedJob, type ListedJob } from '../codec/stored-job.js';

/** A notice as `publish` of writing.lua sends it. */
export interface SentNotice {
  readonly generation: Generation;
  readonly previous: number;
  readonly revision: number;
  /** Left out where they are too much to be sent. */
  readonly jobs?: readonly ListedJob[];
}

const FORMAT = 1;

/** `undefined` for the format of another version: as good as a notice that is lost. */
export function readNotice(message: Buffer): SentNotice | undefined {
  const reader = ByteReader.of(message);
  if (reader.byte() !== FORMAT) return undefined;
  const isWhole = reader.byte() === 1;
  const sized = (): Buffer => reader.bytes(reader.unsigned());
  const position = {
    generation: Generation(sized().toString()),
    previous: reader.unsigned(),
    revision: reader.unsigned(),
  };
  if (!isWhole) return position;
  const jobs: ListedJob[] = [];
  while (!reader.isAtEnd) jobs.push(listedJob(sized(), sized(), sized(), sized()));
  return { ...position, jobs };
}
