import type { Brand } from './brand.js';
import { ArmadaTime } from './times.js';

/** Armada's id of a job: a ULID in lower case, as far as is known; any text will do. */
export type JobId = Brand<'JobId'>;

/** Says of a text that it is a job's id: for those who take ids from the network and have looked at them. */
export function JobId(text: string): JobId {
  return text as JobId;
}

/** The digits of a ULID, in the order of their value. */
export const ULID_DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** 128 bits: the first digit stands for three of them. */
const ULID = new RegExp(`^[0-7][${ULID_DIGITS}]{25}$`);
/** The digits of the milliseconds since the epoch; the others are random. */
const TIME_DIGITS = 10;

/** When Armada made the id, as it accepted the job, by its server's clock; `undefined` where the id is no ULID in lower case. */
export function mintedAt(jobId: JobId): ArmadaTime | undefined {
  if (!ULID.test(jobId)) return undefined;
  let ms = 0;
  for (const digit of jobId.slice(0, TIME_DIGITS)) ms = ms * ULID_DIGITS.length + ULID_DIGITS.indexOf(digit);
  return ArmadaTime(ms);
}
