import type { Generation } from '@ajs/redis-keys';
import type { JobVersion } from '../ports.js';
import type { StoredJob } from './stored-job.js';

/** What Redis kept of a job, as texts: a buffer would keep all that was read from the network with it. */
export class StoredVersion {
  private readonly record: string;
  private readonly failureDetails: string | undefined;
  private readonly enrichment: string | undefined;

  /** @param generation whose string dictionary the record's numbers mean */
  private constructor(
    private readonly generation: Generation,
    { record, failureDetails, enrichment }: StoredJob,
  ) {
    this.record = asText(record);
    this.failureDetails = failureDetails && asText(failureDetails);
    this.enrichment = enrichment && asText(enrichment);
  }

  get size(): number {
    return this.record.length + (this.failureDetails?.length ?? 0) + (this.enrichment?.length ?? 0);
  }

  static of(generation: Generation, stored: StoredJob): JobVersion {
    return new StoredVersion(generation, stored) as unknown as JobVersion;
  }

  /** Whether this is what was seen. */
  static isSeen(seen: JobVersion | undefined, generation: Generation, stored: StoredJob): boolean {
    const version = seen as unknown as StoredVersion | undefined;
    return (
      version !== undefined &&
      version.generation === generation &&
      isSame(version.record, stored.record) &&
      isSame(version.failureDetails, stored.failureDetails) &&
      isSame(version.enrichment, stored.enrichment)
    );
  }
}

function isSame(text: string | undefined, bytes: Buffer | undefined): boolean {
  return text === undefined || bytes === undefined ? text === bytes : text === asText(bytes);
}

/** A character for each byte, of any bytes. */
function asText(bytes: Buffer): string {
  return bytes.toString('latin1');
}
