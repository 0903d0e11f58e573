import { JobId } from '@ajs/job-state';
import { createHash } from 'node:crypto';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
/** In November 2026, and in 2040. */
const TIMES = { past: '01m85vrgp7', future: '02098zw900' };

/**
 * A job id derived from a name, the same in every process: a ULID in Armada's form whose last 80 bits are a hash. One of the future counts as
 * young for ever.
 */
export function jobIdFor(name: string, minted: keyof typeof TIMES = 'past'): JobId {
  const hash = createHash('sha1').update(name).digest();
  return JobId(TIMES[minted] + Array.from(hash.subarray(0, 16), (byte) => DIGITS[byte & 31]).join(''));
}

/** When a job's id was minted. Milliseconds since the epoch; `NaN` where it is no ULID. */
export function mintedAt(jobId: string): number {
  const [, time = ''] = /^([0-9a-hjkmnp-tv-z]{10})[0-9a-hjkmnp-tv-z]{16}$/.exec(jobId) ?? [];
  return time === '' ? NaN : Array.from(time).reduce((ms, digit) => ms * 32 + DIGITS.indexOf(digit), 0);
}
