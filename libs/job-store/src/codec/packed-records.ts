import type { JobId, JobRecord } from '@ajs/job-state';
import { longestPacked, packInto } from './job-id-codec.js';
import { writeRecord, type NumberOfString } from './record-codec.js';
import { ByteWriter } from './varints.js';

/** More than most batches take. */
const EXPECTED_BYTES = 16_384;

/**
 * The records of a batch as `writeJobSet-1.lua` takes them apart: for each its job id, the record and its failure details, every one behind
 * its length. As one argument they cost the client and Redis a third of what they cost as three arguments each.
 */
export class PackedRecords {
  private readonly writer = new ByteWriter(EXPECTED_BYTES);

  constructor(private readonly numberOf: NumberOfString) {}

  /** @param details '' unless they changed. */
  add(jobId: JobId, record: JobRecord, details: string): void {
    const { writer } = this;
    writer.sized(2, () => writer.fill(longestPacked(jobId), (buffer, at) => packInto(buffer, at, jobId)));
    writer.sized(2, () => writeRecord(writer, jobId, record, this.numberOf));
    writer.sized(4, () => writer.fill(Buffer.byteLength(details), (buffer, at) => buffer.write(details, at)));
  }

  /** All that were added. Nothing may be added any more. */
  get bytes(): Buffer {
    return this.writer.bytes;
  }
}
