import { JobId } from '@ajs/job-state';
import { createHash } from 'node:crypto';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** A job id derived from a name, the same in every process: a ULID in Armada's form whose last 80 bits are a hash. */
export function jobIdFor(name: string): JobId {
  const hash = createHash('sha1').update(name).digest();
  return JobId(`01m85vrgp7${Array.from(hash.subarray(0, 16), (byte) => DIGITS[byte & 31]).join('')}`);
}
