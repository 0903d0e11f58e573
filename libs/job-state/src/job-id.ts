import type { Brand } from './brand.js';

/** Armada's id of a job: a ULID in lower case, as far as is known; any text will do. */
export type JobId = Brand<'JobId'>;

/** Says of a text that it is a job's id: for those who take ids from the network and have looked at them. */
export function JobId(text: string): JobId {
  return text as JobId;
}
