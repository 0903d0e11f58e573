import { createHash } from 'node:crypto';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** The id of a job that has this name, the same in every process: a ULID in Armada's form, with chance in its last 80 bits. */
export function jobIdFor(name: string): string {
  const chance = createHash('sha1').update(name).digest();
  return `01m85vrgp7${Array.from(chance.subarray(0, 16), (byte) => DIGITS[byte & 31]).join('')}`;
}
