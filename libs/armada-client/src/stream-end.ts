import type { StreamEnd } from '@ajs/subscriptions';
import { status, type StatusObject } from '@grpc/grpc-js';
import { isMessageTooLarge, statusText } from './status-text.js';

/**
 * What the end of an event stream means, from the status that Armada, or the client on its behalf, gave it.
 *
 * Only two refusals are definite: PERMISSION_DENIED (no permission to watch the queue) and NOT_FOUND (no such queue). Anything else can
 * pass or be fixed, so it is retried: UNAVAILABLE comes of a stopping server or a lost connection, INTERNAL of a server that has not
 * read its queues yet, UNAUTHENTICATED of an expired token, RESOURCE_EXHAUSTED of an overloaded server,
 * INVALID_ARGUMENT of a cursor that another version wrote. A message above our limit fails again and again at the same place.
 */
export function classifyEnd({ code, details }: Pick<StatusObject, 'code' | 'details'>): StreamEnd {
  if (code === status.OK) return { kind: 'end', reason: 'the server ended the stream' };
  const reason = statusText({ code, details });
  if (code === status.PERMISSION_DENIED) return { kind: 'denied', reason };
  if (code === status.NOT_FOUND) return { kind: 'gone', reason };
  if (isMessageTooLarge({ code, details })) {
    return { kind: 'unreadable', reason: `${reason} (MAX_MESSAGE_BYTES)` };
  }
  return { kind: 'retry', reason };
}
