import {
  BatchGetJobsRequest,
  JobResult,
  type Freshness,
  type JobRef,
} from '@ajs/contracts/jobservice/v2/job_status_service';

/*
 * Request and response of `jobservice.v2/BatchGetJobs`, whose callers ask for a thousand jobs in a call, most of them of one job set and most
 * of them ended. What is encoded in another way than clients do it is left to the generated code.
 */

/** Tags of fields that are texts or messages. */
const [FIELD_1, FIELD_2, FIELD_3] = [0x0a, 0x12, 0x1a];
/** A byte of a number on the wire has seven bits of it; the others have this bit, too. */
const MORE = 1 << 7;

/** As `BatchGetJobsRequest.decode`, which see for errors. Refs of one job set that follow each other share its names. */
export function decodeBatchGetJobsRequest(bytes: Buffer): BatchGetJobsRequest {
  const reader = new RefReader(bytes);
  const refs: JobRef[] = [];
  for (let ref = reader.next(); ref !== undefined; ref = reader.next()) refs.push(ref);
  if (reader.at === bytes.length) return { refs, maxAge: undefined };
  const rest = BatchGetJobsRequest.decode(bytes.subarray(reader.at));
  return { refs: refs.concat(rest.refs), maxAge: rest.maxAge };
}

/** Reads the refs at the beginning of a request that are encoded as clients do it. */
class RefReader {
  /** Behind the refs that were read. */
  at = 0;
  private queue = '';
  private jobSet = '';
  /** The bytes of these two. */
  private names: Buffer | undefined;
  /** The value of the field that was entered last. */
  private begin = 0;
  private end = 0;

  constructor(private readonly bytes: Buffer) {}

  /** `undefined` where no such ref follows. */
  next(): JobRef | undefined {
    if (!this.enter(this.at, FIELD_1, this.bytes.length)) return undefined;
    const { begin, end } = this;
    const idAt = this.readNames(begin, end);
    if (!this.enter(idAt, FIELD_3, end) || this.end !== end) return undefined;
    this.at = end;
    return { queue: this.queue, jobSet: this.jobSet, jobId: this.text() };
  }

  /** Returns where the names of a ref end, be they none. */
  private readNames(begin: number, end: number): number {
    const { bytes, names } = this;
    const sameEnd = begin + (names?.length ?? 0);
    if (
      names !== undefined &&
      sameEnd <= end &&
      bytes.compare(names, 0, names.length, begin, sameEnd) === 0
    ) {
      return sameEnd;
    }
    this.names = undefined;
    this.queue = this.jobSet = '';
    if (!this.enter(begin, FIELD_1, end)) return begin;
    this.queue = this.text();
    if (!this.enter(this.end, FIELD_2, end)) return begin;
    this.jobSet = this.text();
    this.names = bytes.subarray(begin, this.end);
    return this.end;
  }

  /** Whether a field is there, has a length of one byte or two, and ends within `limit`. */
  private enter(at: number, tag: number, limit: number): boolean {
    const [first = MORE, second = MORE] = [this.bytes[at + 1], this.bytes[at + 2]];
    const isShort = first < MORE;
    // As many bytes as it needs.
    const isUsual = isShort || (second > 0 && second < MORE);
    if (this.bytes[at] !== tag || !isUsual) return false;
    this.begin = at + (isShort ? 2 : 3);
    this.end = this.begin + (isShort ? first : (first % MORE) + second * MORE);
    return this.end <= limit;
  }

  private text(): string {
    return this.bytes.toString('utf8', this.begin, this.end);
  }
}

/** A result with a job that is encoded already. Where the ref names a job set, it is the one of the job. */
export interface EncodedJobResult {
  readonly ref: JobRef;
  readonly encodedJob: Uint8Array;
  readonly freshness: Freshness | undefined;
}

/** What a result is made of. */
interface Parts {
  /** With its tag and its length; or the whole result, where there is no job. */
  readonly ref: Uint8Array;
  readonly job: Uint8Array | undefined;
  /** With its tag and its length. */
  readonly freshness: Uint8Array;
  /** Of the result. */
  readonly length: number;
}

const NOTHING = new Uint8Array();

/** A `BatchGetJobsResponse`. */
export function encodeJobResults(results: readonly (JobResult | EncodedJobResult)[]): Buffer {
  const partsOf = new PartsOfResults();
  const all = results.map((result) => partsOf.of(result));
  const bytes = Buffer.allocUnsafe(all.reduce((sum, { length }) => sum + sizeOfField(length), 0));
  let at = 0;
  const put = (part: Uint8Array): void => {
    bytes.set(part, at);
    at += part.length;
  };
  const head = (tag: number, length: number): void => {
    bytes[at++] = tag;
    let rest = length;
    for (; rest >= MORE; rest = Math.floor(rest / MORE)) bytes[at++] = (rest % MORE) + MORE;
    bytes[at++] = rest;
  };
  for (const { ref, job, freshness, length } of all) {
    head(FIELD_1, length);
    put(ref);
    if (job === undefined) continue;
    head(FIELD_2, job.length);
    put(job);
    put(freshness);
  }
  return bytes;
}

class PartsOfResults {
  /** Results of one read share it. */
  private readonly freshness = new Map<Freshness | undefined, Uint8Array>();

  of(result: JobResult | EncodedJobResult): Parts {
    if (!('encodedJob' in result)) {
      const whole = JobResult.encode(result).finish();
      return { ref: whole, job: undefined, freshness: NOTHING, length: whole.length };
    }
    const { encodedJob: job } = result;
    const ref = refOf(result);
    const freshness = this.freshnessOf(result);
    return { ref, job, freshness, length: ref.length + sizeOfField(job.length) + freshness.length };
  }

  private freshnessOf({ freshness }: EncodedJobResult): Uint8Array {
    let bytes = this.freshness.get(freshness);
    if (bytes === undefined) {
      bytes = JobResult.encode({ ref: undefined, result: undefined, freshness }).finish();
      this.freshness.set(freshness, bytes);
    }
    return bytes;
  }
}

/** The ref is the first field of a job as of a result. */
function refOf({ ref, encodedJob }: EncodedJobResult): Uint8Array {
  const [, length = MORE] = encodedJob;
  if (ref.jobSet !== '' && length < MORE) return encodedJob.subarray(0, 2 + length);
  return JobResult.encode({ ref, result: undefined, freshness: undefined }).finish();
}

/** A field with a value of this length, with its tag and its length. */
function sizeOfField(length: number): number {
  let size = 2 + length;
  for (let rest = length; rest >= MORE; rest = Math.floor(rest / MORE)) size++;
  return size;
}
