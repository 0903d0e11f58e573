import { JobId, ULID_DIGITS } from '@ajs/job-state';

/*
 * Armada's job ids are ULIDs in lower case: 26 characters that stand for 16 bytes. Packed they save 10 bytes a job in
 * every hash. Any other text is kept as it is behind the byte 0xff, which no ULID of the next 8,000 years begins with.
 */

const DIGITS = new Int8Array(128).fill(-1);
for (let i = 0; i < ULID_DIGITS.length; i++) DIGITS[ULID_DIGITS.charCodeAt(i)] = i;

const ULID_LENGTH = 26;
const PACKED_LENGTH = 16;
const NOT_A_ULID = 0xff;
const LONGEST_PACKED = 0xffff;

/** The bytes that stand for a job id in Redis. */
export function packJobId(jobId: JobId): Buffer {
  const packed = Buffer.allocUnsafe(longestPacked(jobId));
  return packed.subarray(0, packInto(packed, 0, jobId));
}

/** Job ids one after the other, each behind its length in two bytes, which bounds it. */
export function packJobIds(jobIds: readonly JobId[]): Buffer {
  let most = 0;
  for (const jobId of jobIds) most += 2 + longestPacked(jobId);
  const packed = Buffer.allocUnsafe(most);
  let at = 0;
  for (const jobId of jobIds) {
    const length = packInto(packed, at + 2, jobId);
    if (length > LONGEST_PACKED) throw new RangeError('a job id is longer than the store can keep');
    packed[at] = length >> 8;
    packed[at + 1] = length & 0xff;
    at += 2 + length;
  }
  return packed.subarray(0, at);
}

/** The inverse of {@link packJobIds}. */
export function unpackJobIds(packed: Buffer): JobId[] {
  const jobIds: JobId[] = [];
  for (let at = 0; at < packed.length;) {
    const end = at + 2 + packed.readUInt16BE(at);
    jobIds.push(unpackJobId(packed.subarray(at + 2, end)));
    at = end;
  }
  return jobIds;
}

/** The inverse of {@link packJobId}. */
export function unpackJobId(packed: Buffer): JobId {
  if (packed[0] === NOT_A_ULID) return JobId(packed.toString('utf8', 1));
  let text = '';
  // 128 bits, 5 at a time, after two bits of padding in front.
  for (let digit = 0; digit < ULID_LENGTH; digit++) {
    const bit = digit * 5 - 2;
    const byte = Math.floor(bit / 8);
    const window = ((packed[byte] ?? 0) << 8) | (packed[byte + 1] ?? 0);
    text += ULID_DIGITS.charAt((window >> (11 - (bit - byte * 8))) & 31);
  }
  return JobId(text);
}

/** The most bytes that an id packs to. */
export function longestPacked(jobId: JobId): number {
  return Math.max(PACKED_LENGTH, 1 + Buffer.byteLength(jobId));
}

/** Writes a packed id, for which there must be room; returns its length. */
export function packInto(bytes: Buffer, at: number, jobId: JobId): number {
  if (packUlid(bytes, at, jobId)) return PACKED_LENGTH;
  bytes[at] = NOT_A_ULID;
  return 1 + bytes.write(jobId, at + 1);
}

/** Writes a packed ULID; returns whether it is one. */
function packUlid(bytes: Buffer, at: number, jobId: JobId): boolean {
  if (jobId.length !== ULID_LENGTH) return false;
  // The first two digits are a byte, since the first one is below 8; then each eight digits are five bytes.
  const first = (digitAt(jobId, 0) << 5) | digitAt(jobId, 1);
  if (first < 0 || first >= NOT_A_ULID) return false;
  bytes[at] = first;
  for (let from = 2, to = at + 1; from < ULID_LENGTH; from += 8, to += 5) {
    const high = fourDigits(jobId, from);
    const low = fourDigits(jobId, from + 4);
    if ((high | low) < 0) return false;
    bytes[to] = high >> 12;
    bytes[to + 1] = high >> 4;
    bytes[to + 2] = (high << 4) | (low >> 16);
    bytes[to + 3] = low >> 8;
    bytes[to + 4] = low;
  }
  return true;
}

/** The value of four digits; negative where one of them is none. */
function fourDigits(text: string, at: number): number {
  return (
    (digitAt(text, at) << 15) |
    (digitAt(text, at + 1) << 10) |
    (digitAt(text, at + 2) << 5) |
    digitAt(text, at + 3)
  );
}

/** The value of a digit; -1 where it is none. */
function digitAt(text: string, at: number): number {
  return DIGITS[text.charCodeAt(at)] ?? -1;
}
