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
  return packUlid(jobId) ?? Buffer.concat([Buffer.of(NOT_A_ULID), Buffer.from(jobId, 'utf8')]);
}

/** Job ids one after the other, each behind its length in two bytes, which bounds it. */
export function packJobIds(jobIds: readonly JobId[]): Buffer {
  const parts: Buffer[] = [];
  for (const jobId of jobIds) {
    const packed = packJobId(jobId);
    if (packed.length > LONGEST_PACKED) throw new RangeError('a job id is longer than the store can keep');
    parts.push(Buffer.of(packed.length >> 8, packed.length & 0xff), packed);
  }
  return Buffer.concat(parts);
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

function packUlid(jobId: JobId): Buffer | undefined {
  if (jobId.length !== ULID_LENGTH) return undefined;
  const packed = Buffer.allocUnsafe(PACKED_LENGTH);
  let bits = 0;
  let held = 0;
  let byte = 0;
  for (let i = 0; i < ULID_LENGTH; i++) {
    const digit = DIGITS[jobId.charCodeAt(i)] ?? -1;
    if (digit < 0 || (i === 0 && digit > 7)) return undefined;
    bits = (bits << 5) | digit;
    held += i === 0 ? 3 : 5;
    if (held >= 8) {
      held -= 8;
      packed[byte++] = bits >> held;
      bits &= (1 << held) - 1;
    }
  }
  return packed[0] === NOT_A_ULID ? undefined : packed;
}
