import { status, type StatusObject } from '@grpc/grpc-js';

const MAX_LENGTH = 500;

/** What grpc-js makes of HTTP/2's ENHANCE_YOUR_CALM, with which a server answers pings that come too often (`too_many_pings`). */
const ENHANCE_YOUR_CALM = 'Bandwidth exhausted or memory limit exceeded';

/** A message above our limit, in the texts of grpc-js, or above the server's, in that of grpc-go. */
const TOO_LARGE = /message larger than max|message that decompresses to a size larger/i;

/** Whether a call failed at a message that was too large. */
export function isMessageTooLarge({ code, details }: Pick<StatusObject, 'code' | 'details'>): boolean {
  return code === status.RESOURCE_EXHAUSTED && TOO_LARGE.test(details);
}

/** A status for people: one line, of a length that fits a log and a response. */
export function statusText({ code, details }: Pick<StatusObject, 'code' | 'details'>): string {
  const cause =
    code === status.RESOURCE_EXHAUSTED && details === ENHANCE_YOUR_CALM
      ? 'Armada closed the connection (HTTP/2 ENHANCE_YOUR_CALM): too many keepalive pings or requests'
      : details;
  const line = `${status[code]}: ${cause}`.replace(/\s+/g, ' ').trim();
  return line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH - 1)}…`;
}
