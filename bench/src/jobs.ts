import { JobId } from '@ajs/job-state';
import { createHash } from 'node:crypto';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME = '01m85vrgp7';
const HASH_LENGTH = 16;

/**
 * The id of the n-th job, the same in every process: a ULID in Armada's form whose last 80 bits are a hash. A counter would not
 * do, since the store spreads jobs by the last bits of their ids.
 */
export function jobIdOf(n: number): JobId {
  const hash = createHash('sha1').update(`${n}`).digest();
  return JobId(TIME + Array.from(hash.subarray(0, HASH_LENGTH), (byte) => DIGITS[byte & 31]).join(''));
}
