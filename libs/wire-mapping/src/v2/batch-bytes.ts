import {
  BatchGetJobsRequest,
  JobRef,
  JobResult,
  type Freshness,
} from '@ajs/contracts/jobservice/v2/job_status_service';

/*
 * Request and response of `jobservice.v2/BatchGetJobs`, whose callers ask for the same thousand jobs again and again: what was decoded or
 * encoded before is known by its bytes.
 */

/** The tag of a field that is a message: of a ref in the request, and of a result in the response. */
const FIELD_1 = (1 << 3) | 2;
/** A byte of a number on the wire has seven bits of it; the others have this bit, too. */
const MORE = 1 << 7;

/** Encoded refs as texts, with a character for each byte: a text can be looked up. */
export type EncodedRef = string;

/** A ref as clients encode it. */
export function encodeRef(ref: JobRef): EncodedRef {
  return asText(Buffer.from(JobRef.encode(ref).finish()), 0);
}

/**
 * As `BatchGetJobsRequest.decode`, which see for errors.
 *
 * @param known gives what is known by a ref, which then is in its place and is not decoded
 */
export function decodeBatchGetJobsRequest<Known>(
  bytes: Buffer,
  known: (ref: EncodedRef) => Known | undefined,
): Pick<BatchGetJobsRequest, 'maxAge'> & { readonly refs: (JobRef | Known)[] } {
  const refs: (JobRef | Known)[] = [];
  let at = 0;
  while (bytes[at] === FIELD_1) {
    const [first = MORE, second = MORE] = [bytes[at + 1], bytes[at + 2]];
    // A ref has more than two bytes of length only where its names are longer than any may be.
    if (first >= MORE && second >= MORE) break;
    const begin = at + (first < MORE ? 2 : 3);
    const end = begin + (first < MORE ? first : first - MORE + second * MORE);
    if (end > bytes.length) break;
    refs.push(known(asText(bytes, begin, end)) ?? JobRef.decode(bytes.subarray(begin, end)));
    at = end;
  }
  if (at === bytes.length) return { refs, maxAge: undefined };
  const rest = BatchGetJobsRequest.decode(bytes.subarray(at));
  return { refs: [...refs, ...rest.refs], maxAge: rest.maxAge };
}

function asText(bytes: Buffer, begin: number, end?: number): EncodedRef {
  return bytes.toString('latin1', begin, end);
}

/** A result whose freshness is not encoded with it: it changes when nothing else does. */
export interface EncodedJobResult {
  /** A `JobResult` without its freshness. */
  readonly encoded: Uint8Array;
  readonly freshness: Freshness | undefined;
}

/** All of a result but its freshness. */
export function encodeJobResult(result: JobResult): Uint8Array {
  return JobResult.encode({ ...result, freshness: undefined }).finish();
}

/** The inverse of {@link encodeJobResult}, with how fresh it is now. */
export function decodeJobResult({ encoded, freshness }: EncodedJobResult): JobResult {
  return { ...JobResult.decode(encoded), freshness };
}

/** A `BatchGetJobsResponse`, behind so many bytes of room for what its transport puts before it. */
export function encodeJobResults(results: readonly EncodedJobResult[], roomBytes = 0): Buffer {
  const encodedFreshness = new EncodedFreshness();
  const size = results.reduce(
    (sum, { encoded, freshness }) =>
      sum + sizeOfField(encoded.length + encodedFreshness.of(freshness).length),
    roomBytes,
  );
  const bytes = Buffer.allocUnsafe(size);
  let at = roomBytes;
  for (const { encoded, freshness } of results) {
    const last = encodedFreshness.of(freshness);
    bytes[at++] = FIELD_1;
    let length = encoded.length + last.length;
    for (; length >= MORE; length = Math.floor(length / MORE)) bytes[at++] = (length % MORE) + MORE;
    bytes[at++] = length;
    bytes.set(encoded, at);
    at += encoded.length;
    // It is the last field of a result.
    bytes.set(last, at);
    at += last.length;
  }
  return bytes;
}

/** Freshness as a field of a result. Results of one read share it. */
class EncodedFreshness {
  private readonly known = new Map<Freshness | undefined, Uint8Array>();
  private last: { readonly freshness: Freshness | undefined; readonly encoded: Uint8Array } | undefined;

  of(freshness: Freshness | undefined): Uint8Array {
    if (this.last !== undefined && this.last.freshness === freshness) return this.last.encoded;
    let encoded = this.known.get(freshness);
    if (encoded === undefined) {
      encoded = JobResult.encode({ ref: undefined, result: undefined, freshness }).finish();
      this.known.set(freshness, encoded);
    }
    this.last = { freshness, encoded };
    return encoded;
  }
}

/** A field with a value of this length, with its tag and its length. */
function sizeOfField(length: number): number {
  let size = 2 + length;
  for (let rest = length; rest >= MORE; rest = Math.floor(rest / MORE)) size++;
  return size;
}
