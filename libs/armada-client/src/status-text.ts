import { status, type StatusObject } from '@grpc/grpc-js';

const LONGEST_REASON = 500;

/** What a status says, for people: one line, of a length that fits a log and an answer. */
export function statusText({ code, details }: Pick<StatusObject, 'code' | 'details'>): string {
  const line = `${status[code]}: ${details}`.replace(/\s+/g, ' ').trim();
  return line.length <= LONGEST_REASON ? line : `${line.slice(0, LONGEST_REASON - 1)}…`;
}
