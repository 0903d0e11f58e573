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
    const id = writer.beginSized(2);
    writer.fill(longestPacked(jobId), packInto, jobId);
    writer.endSized(id, 2);
    const body = writer.beginSized(2);
    writeRecord(writer, jobId, record, this.numberOf);
    writer.endSized(body, 2);
    const text = writer.beginSized(4);
    if (details !== '') writer.fill(Buffer.byteLength(details), writeText, details);
    writer.endSized(text, 4);
  }

  /** All that were added. Nothing may be added any more. */
  get bytes(): Buffer {
    return this.writer.bytes;
  }
}

function writeText(buffer: Buffer, at: number, text: string): number {
  return buffer.write(text, at);
}
