import type { JobId } from '@ajs/job-state';
import { packJobId } from './job-id-codec.js';

/** Lengths of a job id and of a record take two bytes, that of failure details four. */
const BYTES_OF_LENGTHS = 8;

/**
 * The records of a batch as `writeJobSet-1.lua` takes them apart: for each its job id, the record and its failure details, every one behind
 * its length. As one argument they cost the client and Redis a third of what they cost as three arguments each.
 */
export class PackedRecords {
  private buffer = Buffer.allocUnsafe(16_384);
  private length = 0;

  /** @param details '' unless they changed. */
  add(jobId: JobId, record: Buffer, details: string): void {
    const id = packJobId(jobId);
    const detailsBytes = Buffer.byteLength(details);
    this.reserve(BYTES_OF_LENGTHS + id.length + record.length + detailsBytes);
    let at = this.buffer.writeUInt16BE(id.length, this.length);
    at += id.copy(this.buffer, at);
    at = this.buffer.writeUInt16BE(record.length, at);
    at += record.copy(this.buffer, at);
    at = this.buffer.writeUInt32BE(detailsBytes, at);
    this.length = at + this.buffer.write(details, at);
  }

  /** All that were added. Nothing may be added any more. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.buffer.length));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
