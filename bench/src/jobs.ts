import { createHash } from 'node:crypto';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME = '01m85vrgp7';
const CHANCE = 16;

/**
 * The id of the n-th job, the same in every process: a ULID in Armada's form, that is a time and 80 bits of chance. Ids that
 * only count up would not do: the store spreads jobs by the last bits of their ids.
 */
export function jobIdOf(n: number): string {
  const chance = createHash('sha1').update(`${n}`).digest();
  return TIME + Array.from(chance.subarray(0, CHANCE), (byte) => DIGITS[byte & 31]).join('');
}
